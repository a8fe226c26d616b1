// The settings that the published planner finds a section by: the same -c, -np, -t, -fa, -ctk, -ctv
// and strategy when planning and when running, or the plan is not found [S14].
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
    std::optional<Strategy> strategy;  // forced by the user; nullopt is auto

    bool operator==(const SectionSettings&) const = default;
};

// The number that ggml gives a type that llama.cpp accepts for -ctk and -ctv; nullopt for others.
std::optional<int> kv_type_number(std::string_view type_name);

// Settings of a context. Fails on a cache type that llama.cpp would not accept.
Result<SectionSettings> section_settings(const ContextSpec& context,
                                         int n_threads,
                                         std::optional<Strategy> forced_strategy);

// The published fingerprint. `file_bytes`: of the first split of the model only.
Hash64 published_fingerprint(const SectionSettings& settings, Bytes file_bytes);

}  // namespace pshard
