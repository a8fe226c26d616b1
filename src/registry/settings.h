// The settings that the published planner finds a section by [S14]. A run finds its plan only if
// -c, -np, -t, -fa, -ctk, -ctv and the strategy are the same as when the plan was made.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/fingerprint.h"
#include "base/result.h"
#include "base/units.h"
#include "inventory/context_spec.h"
#include "plan/choice.h"

namespace pshard {

struct SectionSettings {
    std::uint32_t n_ctx = 0;  // as given with -c: 0 if the user left it to the model
    std::uint32_t n_seq_max = 1;
    int n_threads = 0;
    FlashAttention flash_attention = FlashAttention::Auto;
    int type_k = 1;  // ggml type number; 1 is f16
    int type_v = 1;
    std::optional<Strategy> strategy;  // the one that the user forced; nullopt: auto

    bool operator==(const SectionSettings&) const = default;
};

// ggml's number for a type that llama.cpp accepts as -ctk and -ctv; nullopt for any other type.
std::optional<int> kv_type_number(std::string_view type_name);

// The settings of a context. Fails on a cache type that llama.cpp would not accept.
Result<SectionSettings> section_settings(const ContextSpec& context,
                                         int n_threads,
                                         std::optional<Strategy> forced_strategy);

// The published fingerprint. `file_bytes` is the size of the model's first split alone.
Hash64 published_fingerprint(const SectionSettings& settings, Bytes file_bytes);

}  // namespace pshard
