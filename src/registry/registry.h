// The registry: the plans that were chosen for a model, as a text file beside it ([S13],
// docs/formats/registry.md). The published planner and loader read what we write, and we read what
// they write.
//
//   file     has sections, each found by a fingerprint of the run's settings
//   section  has variants, each for a budget
//   variant  has a plan for each tier, or says that the whole model fits
//
// These are plain values. registry_text.h makes them from text and back, registry_file.h loads and
// saves the file.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/fingerprint.h"
#include "base/result.h"
#include "inventory/tier_key.h"
#include "plan/choice.h"
#include "registry/override_list.h"
#include "registry/pshard_lines.h"
#include "registry/settings.h"

namespace pshard {

// The path of a model's registry is the model's path and this.
inline constexpr std::string_view kRegistrySuffix = ".tensor_overrides.pshard_registry";

// What a number of a registry may be. These bounds are far beyond any machine and model: a number
// above them is a fault of the file.
inline constexpr std::uint32_t kMostMib = 1U << 26U;     // 64 TiB
inline constexpr std::uint32_t kMostTokens = 1U << 30U;  // of a batch or a context
inline constexpr int kMostLayers = 4096;

struct RegistryTier {
    int index = 0;         // only for people who read the file; the key tells tiers apart
    TierKey key;           // one that has_registry_form; its n_tokens are the file's `bs`
    bool viable = false;   // false: no plan; of the fields below, only `pshard` is written
    bool damaged = false;  // not viable because its lines are damaged
    PlanChoice choice;
    double tps = 0;       // tokens per second at n_tokens, written with 2 digits; 0: not predicted
    double vram_mib = 0;  // written with 1 digit
    std::vector<OverrideItem> ot;  // the same plan, weight by weight
    PshardTier pshard;

    bool operator==(const RegistryTier&) const = default;
};

struct RegistryVariant {
    std::uint32_t budget_mib = 0;
    std::uint32_t cache_ubatch = 0;           // tokens; 0: for any ubatch (older files)
    std::optional<double> baseline_vram_mib;  // if set, the whole model fits: pshard off, no tiers
    std::vector<RegistryTier> tiers;          // in the order of their keys
    PshardVariant pshard;
    std::optional<Place> altered{};  // of the checksum, if it is not that of the lines: not written

    bool operator==(const RegistryVariant&) const = default;
};

struct RegistrySection {
    Hash64 fingerprint;
    std::optional<SectionSettings> settings;  // from a comment, for information only
    PshardSection pshard;
    std::vector<RegistryVariant> variants;  // the newest last

    bool operator==(const RegistrySection&) const = default;
};

struct Registry {
    std::vector<RegistrySection> sections;  // the newest last

    bool operator==(const Registry&) const = default;
};

// Whether the registry has a place for such a tier. The published header names a tier by its tokens
// alone, and the published reader takes the first tier that holds the batch, so that tier must be
// for the whole context. Plans for a part of the context will need pshard lines, with a row for
// n_depth in registry_fields.h.
[[nodiscard]] inline bool has_registry_form(const TierKey& tier) { return tier.is_whole_context(); }

// Whether a tier is damaged, or the last tiers are missing because the file was cut off.
bool has_damaged_tiers(const RegistryVariant& variant);

// Whether it has, or its lines are not those of its checksum. Nobody may use such a variant.
bool is_damaged(const RegistryVariant& variant);

// The rate of the plan that is chosen at the tier, at the depth that the file tells; 0: not
// predicted.
double chosen_tps(const RegistryTier& tier);

// A section without variants for these settings. `file_bytes` is the size of the model's first
// split.
RegistrySection make_section(const SectionSettings& settings, Bytes file_bytes);

}  // namespace pshard
