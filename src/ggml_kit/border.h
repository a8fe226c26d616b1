// The functions of ours that ggml calls, none of which may throw.
//
//   const ggml_backend_reg_i kInterface = {.get_name = guarded<registry_get_name>, ...
//
// scripts/check-layers refuses a hook of an interface of ggml that is not guarded. What a hook
// throws is told once, as a sentence, and kept: values may have been lost, so who computes asks
// before it goes on.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <type_traits>

#include <ggml-backend.h>

#include "base/border.h"

namespace pshard {

// What the first exception since the start, or since forget_thrown(), said; empty: there was none.
[[nodiscard]] std::string thrown_at_border();
void forget_thrown();

// `log` hears of it as one line. Nobody does before this is called.
void log_thrown(std::function<void(std::string_view line)> log);

struct GgmlBorder {
    static void tell(const char* what) noexcept;

    // Stands for "no" in ggml: FAILED, nullptr, false, 0; an empty name.
    template <typename Out>
    static Out refusal() {
        if constexpr (std::is_same_v<Out, ggml_status>)
            return GGML_STATUS_FAILED;
        else if constexpr (std::is_same_v<Out, const char*>)
            return "";
        else
            return Out();
    }
};

template <auto kFunction>
inline constexpr auto guarded = Border<kFunction, GgmlBorder>::call;

}  // namespace pshard
