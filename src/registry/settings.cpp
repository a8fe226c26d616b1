#include "registry/settings.h"

#include <array>

#include <fmt/format.h>

#include "strategy/rules.h"

namespace pshard {
namespace {

struct KvType {
    std::string_view name;
    int number;  // ggml.h, enum ggml_type
};

// The types of -ctk and -ctv in llama.cpp v0.5.0, common/arg.cpp.
constexpr std::array kKvTypes = {
    KvType{"f32", 0},
    KvType{"f16", 1},
    KvType{"bf16", 30},
    KvType{"q8_0", 8},
    KvType{"q4_0", 2},
    KvType{"q4_1", 3},
    KvType{"iq4_nl", 20},
    KvType{"q5_0", 6},
    KvType{"q5_1", 7},
};

// The number in enum llama_flash_attn_type (llama.h).
int flash_attention_number(FlashAttention flash_attention) {
    if (flash_attention == FlashAttention::Auto) return -1;
    return flash_attention == FlashAttention::On ? 1 : 0;
}

Error unknown_type(std::string_view flag, std::string_view name) {
    std::string names;
    for (const KvType& type : kKvTypes) names += fmt::format(" {}", type.name);
    return {fmt::format("'{}' is no cache type; {} takes one of{}", name, flag, names), {}};
}

}  // namespace

std::optional<int> kv_type_number(std::string_view type_name) {
    for (const KvType& type : kKvTypes) {
        if (type.name == type_name) return type.number;
    }
    return std::nullopt;
}

Result<SectionSettings> section_settings(const ContextSpec& context,
                                         int n_threads,
                                         std::optional<Strategy> forced_strategy) {
    const std::optional<int> type_k = kv_type_number(context.type_k);
    const std::optional<int> type_v = kv_type_number(context.type_v);
    if (!type_k) return unknown_type("-ctk", context.type_k);
    if (!type_v) return unknown_type("-ctv", context.type_v);
    return SectionSettings{.n_ctx = context.n_ctx,
                           .n_seq_max = context.n_seq_max,
                           .n_threads = n_threads,
                           .flash_attention = context.flash_attention,
                           .type_k = *type_k,
                           .type_v = *type_v,
                           .strategy = forced_strategy};
}

Hash64 published_fingerprint(const SectionSettings& settings, Bytes file_bytes) {
    return word_hash({settings.n_ctx,
                      settings.n_seq_max,
                      settings.n_threads,
                      flash_attention_number(settings.flash_attention),
                      settings.type_k,
                      settings.type_v,
                      static_cast<std::int64_t>(file_bytes),
                      settings.strategy ? strategy_id(*settings.strategy) : -1});
}

}  // namespace pshard
