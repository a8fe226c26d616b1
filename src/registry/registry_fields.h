// The fields of each line of a registry, as tables (base/fields.h), in the order in which they are
// written: the published lines, as the published planner spells them [S13], and the pshard lines.
// Reader, writer and the test of the page walk these tables. A new field of a pshard line is a
// member of its struct (pshard_lines.h), one row here and one in docs/formats/registry.md. Internal
// to registry/.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "base/fields.h"
#include "inventory/context_words.h"
#include "registry/registry.h"
#include "strategy/rules.h"

namespace pshard {

// ---- forms ----

// A strategy stands as its name; the published files never hold ids.
struct StrategyName {
    using Value = Strategy;

    static std::string expected() { return "the name of a strategy"; }

    static void write(std::string& out, Strategy value) { out += strategy_name(value); }

    static bool read(std::string_view word, Strategy& value) {
        const std::optional<Strategy> strategy = strategy_of(word);
        if (!strategy || strategy_name(*strategy) != word) return false;
        value = *strategy;
        return true;
    }
};

// A strategy that the user forced; "auto" if there is none.
struct ForcedStrategy {
    using Value = std::optional<Strategy>;

    static std::string expected() { return "auto or the name of a strategy"; }

    static void write(std::string& out, Value value) {
        out += value ? strategy_name(*value) : "auto";
    }

    static bool read(std::string_view word, Value& value) {
        Strategy strategy{};
        const bool is_name = StrategyName::read(word, strategy);
        if (is_name || word == "auto") value = is_name ? Value(strategy) : std::nullopt;
        return is_name || word == "auto";
    }
};

struct OverflowName {
    using Value = Overflow;

    static std::string expected() { return "NONE, ATTN, UP, GATE or MOE"; }

    static void write(std::string& out, Overflow value) { out += overflow_name(value); }

    static bool read(std::string_view word, Overflow& value) {
        const std::optional<Overflow> overflow = overflow_of(word);
        if (overflow) value = *overflow;
        return overflow.has_value();
    }
};

// A number that is written with `Digits` digits behind the point.
template <int Digits>
struct Rounded : NotNegative {
    static void write(std::string& out, double value) {
        fmt::format_to(std::back_inserter(out), "{:.{}f}", value, Digits);
    }
};

// A whole choice in one value, with the keys of kChoiceFields: "strategy:NAME,n_pinned:2,...".
struct ChoiceWord {
    using Value = PlanChoice;

    static std::string expected();
    static void write(std::string& out, const PlanChoice& choice);
    static bool read(std::string_view word, PlanChoice& choice);
};

// ---- published lines ----

// The comment below a section's header, behind its "# ".
inline constexpr std::array kSettingsFields = {
    field<&SectionSettings::n_ctx>("n_ctx"),
    field<&SectionSettings::n_seq_max>("n_seq_max"),
    field<&SectionSettings::n_threads>("n_threads"),
    field<OneOf<FlashAttention, kFlashAttentionWords>, &SectionSettings::flash_attention>("fa"),
    field<&SectionSettings::type_k>("type_k"),
    field<&SectionSettings::type_v>("type_v"),
    field<ForcedStrategy, &SectionSettings::strategy>("strategy"),
};

// The first line below the header of a viable tier.
inline constexpr std::array kStrategyFields = {
    field<StrategyName, &RegistryTier::choice, &PlanChoice::strategy>("strategy"),
    field<&RegistryTier::choice, &PlanChoice::n_pinned>("n_pinned"),
    field<&RegistryTier::choice, &PlanChoice::n_attn_pinned>("n_attn_pinned"),
    field<OverflowName, &RegistryTier::choice, &PlanChoice::overflow>("overflow"),
    field<Rounded<2>, &RegistryTier::tps>("tps"),
    field<Rounded<1>, &RegistryTier::vram_mib>("vram"),
    field<&RegistryTier::choice, &PlanChoice::output_on_gpu>("output_on_gpu"),
    field<&RegistryTier::choice, &PlanChoice::pin_from_back>("pin_from_back"),
};

struct DisabledLine {
    bool disabled = false;
    double baseline_vram_mib = 0;
};

// The line below the header of a variant without tiers.
inline constexpr std::array kDisabledFields = {
    field<&DisabledLine::disabled>("pshard_disabled"),
    field<Rounded<1>, &DisabledLine::baseline_vram_mib>("baseline_vram"),
};

// ---- pshard lines ----

inline constexpr std::array kChoiceFields = {
    field<StrategyName, &PlanChoice::strategy>("strategy"),
    field<&PlanChoice::n_pinned>("n_pinned"),
    field<&PlanChoice::n_attn_pinned>("n_attn_pinned"),
    field<OverflowName, &PlanChoice::overflow>("overflow"),
    field<&PlanChoice::output_on_gpu>("output_on_gpu"),
    field<&PlanChoice::pin_from_back>("pin_from_back"),
};

inline constexpr std::array kPshardSectionFields = {
    field<&PshardSection::file_bytes>("file_bytes"),
};

inline constexpr std::array kPshardVariantFields = {
    field<&PshardVariant::version>("version"),
    field<&PshardVariant::weights>("weights"),
    field<&PshardVariant::all_weights>("all_weights"),
    field<&PshardVariant::states>("states"),
    field<&PshardVariant::smaller_states>("smaller_states"),
    field<&PshardVariant::n_ubatch>("n_ubatch"),
    field<&PshardVariant::asked_ubatch>("asked_ubatch"),
    field<&PshardVariant::output_rows>("output_rows"),
    field<&PshardVariant::kv_unified>("kv_unified"),
    field<&PshardVariant::swa_full>("swa_full"),
    field<&PshardVariant::windowed>("windowed"),
    field<&PshardVariant::shared>("shared"),
    field<&PshardVariant::outside>("outside"),
    field<&PshardVariant::unseen>("unseen"),
    field<&PshardVariant::machine>("machine"),
};

inline constexpr std::array kPshardTierFields = {
    field<ChoiceWord, &PshardTier::plan>("plan"),
    field<&PshardTier::depth>("depth"),
    field<&PshardTier::tps>("tps"),
    field<&PshardTier::tps_empty>("tps_empty"),
    field<&PshardTier::tps_full>("tps_full"),
    field<&PshardTier::ops>("ops"),
    field<&PshardTier::steps>("steps"),
    field<&PshardTier::arena>("arena"),
    field<&PshardTier::pinned>("pinned"),
    field<&PshardTier::states_bytes>("states_bytes"),
    field<&PshardTier::slots>("slots"),
    field<&PshardTier::scratch>("scratch"),
    field<&PshardTier::outside>("outside"),
    field<&PshardTier::slice_experts>("slice_experts"),
    field<&PshardTier::bound_by>("bound_by"),
};

}  // namespace pshard
