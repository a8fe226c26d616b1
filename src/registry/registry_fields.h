// The fields of the published lines, in their published order and spelling [S13].
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "registry/field_table.h"
#include "registry/registry.h"

namespace pshard {

template <>
struct ValueText<FlashAttention> {
    static constexpr std::array<std::string_view, 3> kNames = {"off", "on", "auto"};
    static constexpr std::string_view kExpected = "off, on or auto";

    static std::string write(FlashAttention value) {
        return std::string(kNames[static_cast<std::size_t>(value)]);
    }

    static std::optional<FlashAttention> read(std::string_view text) {
        const auto* found = std::ranges::find(kNames, text);
        if (found == kNames.end()) return std::nullopt;
        return static_cast<FlashAttention>(found - kNames.begin());
    }
};

// A number that is written with `Digits` digits behind the point.
template <auto Member, int Digits>
constexpr auto fixed_field(std::string_view key) {
    auto fixed = field<Member>(key);
    using Object = typename ClassOf<decltype(Member)>::Type;
    fixed.write = [](const Object& object) {
        return fmt::format("{:.{}f}", object.*Member, Digits);
    };
    return fixed;
}

// "strategy=auto" where none is forced.
inline constexpr Field<SectionSettings> kForcedStrategy = {
    "strategy",
    "auto or the name of a strategy",
    [](const SectionSettings& settings) {
        return settings.strategy ? std::string(strategy_name(*settings.strategy)) : "auto";
    },
    [](SectionSettings& settings, std::string_view text) {
        settings.strategy = ValueText<Strategy>::read(text);
        return settings.strategy.has_value() || text == "auto";
    }};

// Below a section's header, behind "# ".
inline constexpr std::array kSettingsFields = {
    field<&SectionSettings::n_ctx>("n_ctx"),
    field<&SectionSettings::n_seq_max>("n_seq_max"),
    field<&SectionSettings::n_threads>("n_threads"),
    field<&SectionSettings::flash_attention>("fa"),
    field<&SectionSettings::type_k>("type_k"),
    field<&SectionSettings::type_v>("type_v"),
    kForcedStrategy,
};

// The first line below the header of a viable tier.
inline constexpr std::array kStrategyFields = {
    field<&RegistryTier::choice, &PlanChoice::strategy>("strategy"),
    field<&RegistryTier::choice, &PlanChoice::n_pinned>("n_pinned"),
    field<&RegistryTier::choice, &PlanChoice::n_attn_pinned>("n_attn_pinned"),
    field<&RegistryTier::choice, &PlanChoice::overflow>("overflow"),
    fixed_field<&RegistryTier::tps, 2>("tps"),
    fixed_field<&RegistryTier::vram_mib, 1>("vram"),
    field<&RegistryTier::choice, &PlanChoice::output_on_gpu>("output_on_gpu"),
    field<&RegistryTier::choice, &PlanChoice::pin_from_back>("pin_from_back"),
};

struct DisabledLine {
    bool disabled = false;
    double baseline_vram_mib = 0;
};

// Below the header of a variant without tiers.
inline constexpr std::array kDisabledFields = {
    field<&DisabledLine::disabled>("pshard_disabled"),
    fixed_field<&DisabledLine::baseline_vram_mib, 1>("baseline_vram"),
};

}  // namespace pshard
