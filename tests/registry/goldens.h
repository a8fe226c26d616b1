// Registries that the published planner wrote (PR #22691, head 92fc23743), and a small value.
#pragma once

#include <algorithm>
#include <array>
#include <string>

#include "base/temp_folder.h"
#include "build_paths.h"
#include "registry/registry.h"

namespace pshard::test {

struct Golden {
    const char* name;
    Bytes file_bytes;  // of the model, as the fingerprint takes them
    std::uint32_t n_ctx;
    std::uint32_t budget_mib;
};

inline constexpr std::array kGoldens = {
    Golden{"qwen3-32b-q4_0-8000-16384", 18631619200, 16384, 8000},
    Golden{"gpt-oss-20b-mxfp4_moe-4000-4096", 12096587456, 4096, 4000},
    Golden{"llama-3.3-70b-q4_k_m-12000-8192", 42512575776, 8192, 12000},
    Golden{"llama-3.1-8b-q8_0-12000-8192", 8532953152, 8192, 12000},
};

inline std::string golden_text(const Golden& golden) {
    return text_in(std::string(PSHARD_SOURCE_DIR) + "/tests/golden/registry/" + golden.name +
                   ".pshard_registry");
}

// The settings that all of them were planned with.
inline SectionSettings golden_settings(std::uint32_t n_ctx) {
    return {.n_ctx = n_ctx,
            .n_seq_max = 1,
            .n_threads = 8,
            .flash_attention = FlashAttention::On,
            .type_k = 1,
            .type_v = 1,
            .strategy = std::nullopt};
}

inline RegistryTier toy_tier(int index, std::uint32_t bs) {
    RegistryTier tier;
    tier.index = index;
    tier.key = {bs};
    tier.viable = true;
    tier.choice.strategy = Strategy::GpuOnlyAttnPinFfnStream;
    tier.choice.n_pinned = 1;
    tier.tps = 12.5;
    tier.vram_mib = 512.5;
    tier.ot = {{"^output", "CUDA_Host", 3}, {R"(blk\.0\..*)", "CUDA_Host", 0}};
    return tier;
}

inline RegistryVariant toy_variant(std::uint32_t budget_mib, std::uint32_t cache_ubatch) {
    RegistryVariant variant;
    variant.budget_mib = budget_mib;
    variant.cache_ubatch = cache_ubatch;
    variant.tiers = {toy_tier(0, 1), toy_tier(1, 16)};
    return variant;
}

// A section whose fingerprint follows from `n_ctx`, with one variant.
inline RegistrySection toy_section(std::uint32_t n_ctx, std::uint32_t budget_mib) {
    RegistrySection section = make_section(golden_settings(n_ctx), 1000000);
    section.variants = {toy_variant(budget_mib, 512)};
    return section;
}

// A variant with every pshard field set.
inline RegistryVariant full_variant() {
    RegistryVariant variant = toy_variant(600, 2048);
    variant.pshard = {.version = kPshardVersion,
                      .weights = Hash64{1},
                      .tensors = Hash64{4},
                      .states = Hash64{2},
                      .smaller_states = "0x0000000000000004,0x0000000000000005",
                      .n_ubatch = 2048,
                      .asked_ubatch = 16384,
                      .faster_ubatch = 4096,
                      .output_rows = 1,
                      .kv_unified = true,
                      .swa_full = false,
                      .windowed = true,
                      .flash_attention = true,
                      .shared = 8192,
                      .outside = 4096,
                      .unseen = 2048,
                      .machine = Hash64{3},
                      .checksum = std::nullopt,
                      .unknown = {"later=yes"}};
    variant.tiers[0].pshard = {.plan = PlanChoice{.strategy = Strategy::StaticFitParams,
                                                  .n_pinned = 7,
                                                  .n_attn_pinned = 9,
                                                  .overflow = Overflow::Moe,
                                                  .output_on_gpu = true,
                                                  .pin_from_back = true},
                               .depth = 4096,
                               .tps = 41.125,
                               .tps_empty = 0.1,
                               .tps_full = 1e-7,
                               .tps_stock = 42.5,
                               .passes = {{{0, 0.1}, {4096, 49.8}}},
                               .ops = Hash64{0xfedcba9876543210},
                               .steps = Hash64{5},
                               .arena = 6,
                               .pinned = 7,
                               .states_bytes = 8,
                               .slots = 9,
                               .scratch = 10,
                               .outside = 11,
                               .slice_experts = true,
                               .bound_by = "link",
                               .unknown = {"x=1", "y"}};
    return variant;
}

// nullptr: the registry has no section of that fingerprint.
inline const RegistrySection* find_section(const Registry& registry, Hash64 fingerprint) {
    const auto found =
        std::ranges::find(registry.sections, fingerprint, &RegistrySection::fingerprint);
    return found == registry.sections.end() ? nullptr : &*found;
}

inline std::string warnings_text(const std::vector<Error>& warnings) {
    std::string text;
    for (const Error& warning : warnings) text += warning.text() + "\n";
    return text;
}

}  // namespace pshard::test
