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

struct Tokens : Whole<std::uint32_t, 0, kMostTokens> {};

struct LayerCount : Whole<int, 0, kMostLayers> {};

struct ByteCount : Whole<Bytes, 0, kMostMib * kMiB> {};

// A number from 0 to `Most`.
template <std::uint64_t Most>
struct UpTo : NotNegative {
    static std::string expected() { return fmt::format("a number from 0 to {}", Most); }

    static bool read(std::string_view word, double& value) {
        const auto number = number_of<double>(word);
        if (!number || *number < 0 || *number > double(Most)) return false;
        value = *number;
        return true;
    }
};

// Tokens per second.
struct Rate : UpTo<1'000'000'000'000> {};

// A number that is written with `Digits` digits behind the point.
template <typename Form, int Digits>
struct Rounded : Form {
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

// "DEPTH:SECONDS,..." in ascending depths.
struct PassPoints {
    using Value = std::vector<PassPoint>;

    static std::string expected() { return "DEPTH:SECONDS, with commas between, ascending"; }

    static void write(std::string& out, const Value& points);
    static bool read(std::string_view word, Value& points);
};

// ---- published lines ----

// The comment below a section's header, behind its "# ".
inline constexpr std::array kSettingsFields = {
    field<Tokens, &SectionSettings::n_ctx>("n_ctx"),
    field<Whole<std::uint32_t, 0, 1U << 20U>, &SectionSettings::n_seq_max>("n_seq_max"),
    field<Whole<int, -1, 1 << 20>, &SectionSettings::n_threads>("n_threads"),
    field<OneOf<FlashAttention, kFlashAttentionWords>, &SectionSettings::flash_attention>("fa"),
    field<Whole<int, 0, 1 << 10>, &SectionSettings::type_k>("type_k"),
    field<Whole<int, 0, 1 << 10>, &SectionSettings::type_v>("type_v"),
    field<ForcedStrategy, &SectionSettings::strategy>("strategy"),
};

// The first line below the header of a viable tier.
inline constexpr std::array kStrategyFields = {
    field<StrategyName, &RegistryTier::choice, &PlanChoice::strategy>("strategy"),
    field<LayerCount, &RegistryTier::choice, &PlanChoice::n_pinned>("n_pinned"),
    field<LayerCount, &RegistryTier::choice, &PlanChoice::n_attn_pinned>("n_attn_pinned"),
    field<OverflowName, &RegistryTier::choice, &PlanChoice::overflow>("overflow"),
    field<Rounded<Rate, 2>, &RegistryTier::tps>("tps"),
    field<Rounded<UpTo<kMostMib>, 1>, &RegistryTier::vram_mib>("vram"),
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
    field<Rounded<UpTo<kMostMib>, 1>, &DisabledLine::baseline_vram_mib>("baseline_vram"),
};

// ---- pshard lines ----

inline constexpr std::array kChoiceFields = {
    field<StrategyName, &PlanChoice::strategy>("strategy"),
    field<LayerCount, &PlanChoice::n_pinned>("n_pinned"),
    field<LayerCount, &PlanChoice::n_attn_pinned>("n_attn_pinned"),
    field<OverflowName, &PlanChoice::overflow>("overflow"),
    field<&PlanChoice::output_on_gpu>("output_on_gpu"),
    field<&PlanChoice::pin_from_back>("pin_from_back"),
};

inline constexpr std::array kPshardSectionFields = {
    field<ByteCount, &PshardSection::file_bytes>("file_bytes"),
};

inline constexpr std::array kPshardVariantFields = {
    field<&PshardVariant::version>("version"),
    field<&PshardVariant::weights>("weights"),
    field<&PshardVariant::all_weights>("all_weights"),
    field<&PshardVariant::tensors>("tensors"),
    field<&PshardVariant::states>("states"),
    field<&PshardVariant::smaller_states>("smaller_states"),
    field<Tokens, &PshardVariant::n_ubatch>("n_ubatch"),
    field<Tokens, &PshardVariant::asked_ubatch>("asked_ubatch"),
    field<Tokens, &PshardVariant::faster_ubatch>("faster_ubatch"),
    field<Tokens, &PshardVariant::output_rows>("output_rows"),
    field<&PshardVariant::kv_unified>("kv_unified"),
    field<&PshardVariant::swa_full>("swa_full"),
    field<&PshardVariant::windowed>("windowed"),
    field<&PshardVariant::flash_attention>("flash_attention"),
    field<ByteCount, &PshardVariant::shared>("shared"),
    field<&PshardVariant::sharers>("sharers"),
    field<ByteCount, &PshardVariant::pools>("pools"),
    field<ByteCount, &PshardVariant::outside>("outside"),
    field<ByteCount, &PshardVariant::unseen>("unseen"),
    field<&PshardVariant::machine>("machine"),
    field<&PshardVariant::checksum>("checksum"),
};

inline constexpr std::array kPshardTierFields = {
    field<ChoiceWord, &PshardTier::plan>("plan"),
    field<Tokens, &PshardTier::depth>("depth"),
    field<Rate, &PshardTier::tps>("tps"),
    field<Rate, &PshardTier::tps_empty>("tps_empty"),
    field<Rate, &PshardTier::tps_full>("tps_full"),
    field<Rate, &PshardTier::tps_stock>("tps_stock"),
    field<PassPoints, &PshardTier::passes>("passes"),
    field<&PshardTier::ops>("ops"),
    field<&PshardTier::steps>("steps"),
    field<ByteCount, &PshardTier::arena>("arena"),
    field<ByteCount, &PshardTier::pinned>("pinned"),
    field<ByteCount, &PshardTier::states_bytes>("states_bytes"),
    field<ByteCount, &PshardTier::slots>("slots"),
    field<ByteCount, &PshardTier::scratch>("scratch"),
    field<ByteCount, &PshardTier::outside>("outside"),
    field<&PshardTier::slice_experts>("slice_experts"),
    field<&PshardTier::bound_by>("bound_by"),
};

}  // namespace pshard
