#include "registry/registry.h"

#include <algorithm>

namespace pshard {

bool has_damaged_tiers(const RegistryVariant& variant) {
    if (variant.baseline_vram_mib) return false;
    if (variant.tiers.empty() || variant.tiers.back().key.n_tokens < variant.cache_ubatch)
        return true;
    return std::any_of(variant.tiers.begin(), variant.tiers.end(), [&](const RegistryTier& tier) {
        return tier.damaged;
    });
}

bool is_damaged(const RegistryVariant& variant) {
    return variant.altered || has_damaged_tiers(variant);
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

}  // namespace pshard
