#include "registry/registry.h"

#include <algorithm>

namespace pshard {

bool is_damaged(const RegistryVariant& variant) {
    if (variant.baseline_vram_mib) return false;
    if (variant.tiers.empty() || variant.tiers.back().key.n_tokens < variant.cache_ubatch)
        return true;
    return std::any_of(variant.tiers.begin(), variant.tiers.end(), [&](const RegistryTier& tier) {
        return tier.damaged;
    });
}

double chosen_tps(const RegistryTier& tier) {
    return tier.pshard.plan ? tier.pshard.tps.value_or(0) : tier.tps;
}

RegistrySection make_section(const SectionSettings& settings, Bytes file_bytes) {
    RegistrySection section;
    section.fingerprint = published_fingerprint(settings, file_bytes);
    section.settings = settings;
    section.pshard.file_bytes = file_bytes;
    return section;
}

const RegistrySection* find_section(const Registry& registry, Hash64 fingerprint) {
    const auto found =
        std::ranges::find(registry.sections, fingerprint, &RegistrySection::fingerprint);
    return found == registry.sections.end() ? nullptr : &*found;
}

const RegistryVariant* find_variant(const RegistrySection& section,
                                    std::uint32_t budget_mib,
                                    std::uint32_t cache_ubatch) {
    const auto found =
        std::find_if(section.variants.rbegin(), section.variants.rend(), [&](const auto& variant) {
            return variant.budget_mib == budget_mib && variant.cache_ubatch == cache_ubatch;
        });
    return found == section.variants.rend() ? nullptr : &*found;
}

}  // namespace pshard
