// How plans become the text that the published reader reads.
//
// In:   sections with variants and tiers.
// Out:  the text; or the reason why the published reader could not read it back.
//
//     [fingerprint=0x...]                      head of the section
//     # n_ctx=... n_seq_max=...
//     # pshard section ...
//
//     [variant budget=600 cache_ubatch=512]    a variant, below a blank line
//     # pshard variant ...
//     [tier 0 bs=1]                            a viable tier
//     strategy=... n_pinned=...
//     ot=REGEX=BUFFER_TYPE:LANE,...
//     # pshard tier ...
//     [tier 1 bs=16] not_viable                a tier without a plan
//
// The tables of registry_fields.h say what stands in a line of pairs.
//
// Traps: a comma in a pattern would end its item, and a blank would end its pair, so check_writable
// refuses them. Tiers must have ascending numbers: a reader takes a number that goes back for the
// tier of another variant. The published lines hold only strategies that the published reader
// knows; a chosen plan of any other goes into the pshard lines.
#include "registry/registry_text.h"

#include <algorithm>
#include <cmath>

#include "registry/pairs.h"
#include "registry/registry_fields.h"
#include "registry/registry_lines.h"
#include "strategy/rules.h"

namespace pshard {
namespace {

template <typename Record>
std::string line_of(const Record& record, Fields<Record> fields) {
    return fmt::format("{}\n", fmt::join(pair_texts(record, fields), " "));
}

std::string tier_text(const RegistryTier& tier) {
    if (!tier.viable) {
        return fmt::format("[tier {} bs={}] not_viable\n{}",
                           tier.index,
                           tier.key.n_tokens,
                           pshard_text(tier.pshard));
    }
    return fmt::format("[tier {} bs={}]\n{}ot={}\n{}",
                       tier.index,
                       tier.key.n_tokens,
                       line_of(tier, kStrategyFields),
                       to_text(tier.ot),
                       pshard_text(tier.pshard));
}

bool is_word(std::string_view text) {
    return !text.empty() && text.find_first_of(std::string_view("\0 \t\r\n", 5)) == text.npos;
}

// Whether `Form` reads such a number again.
template <typename Form>
bool is_in_range(double value) {
    return std::isfinite(value) && Form::read(fmt::format("{}", value), value);
}

// Why the published reader could not read an item of the `ot` list back; "" if it can.
std::string item_fault(const OverrideItem& item) {
    if (!is_word(item.pattern) || item.pattern.find_first_of(",=") != std::string::npos) {
        return fmt::format("its pattern '{}' is empty or holds a comma, '=' or blank",
                           item.pattern);
    }
    if (!is_word(item.buffer_type) || item.buffer_type.find(',') != std::string::npos) {
        return fmt::format("its buffer type '{}' is empty or holds a comma or blank",
                           item.buffer_type);
    }
    return item.lane < 0 ? fmt::format("its lane {} is negative", item.lane) : "";
}

std::string tier_fault(const RegistryTier& tier) {
    if (tier.pshard.bound_by && !is_word(*tier.pshard.bound_by)) return "bound_by is not one word";
    if (!has_registry_form(tier.key)) return "it is not for the whole context";
    if (!tier.viable) return "";
    if (tier.ot.empty()) return "it is viable but has no override list";
    if (!rule_of(tier.choice.strategy).is_published) {
        return "the published reader does not know its strategy; it belongs into pshard.plan, and "
               "the best published plan into choice";
    }
    if (!is_in_range<Rate>(tier.tps) || !is_in_range<UpTo<kMostMib>>(tier.vram_mib)) {
        return "tps or vram is not a number, negative or too large";
    }
    for (const OverrideItem& item : tier.ot) {
        std::string fault = item_fault(item);
        if (!fault.empty()) return fault;
    }
    return "";
}

std::string variant_fault(const RegistryVariant& variant) {
    if (variant.baseline_vram_mib && !variant.tiers.empty()) return "it is disabled but has tiers";
    if (variant.baseline_vram_mib && !is_in_range<UpTo<kMostMib>>(*variant.baseline_vram_mib)) {
        return "baseline_vram is not a number, negative or too large";
    }
    if (variant.budget_mib == 0 || variant.budget_mib > kMostMib) {
        return fmt::format("its budget is not from 1 to {} MiB", kMostMib);
    }
    const std::uint32_t most =
        variant.cache_ubatch == 0 ? kMostTokens : std::min(variant.cache_ubatch, kMostTokens);
    int last_index = -1;
    std::uint32_t last_tokens = 0;
    for (const RegistryTier& tier : variant.tiers) {
        const std::uint32_t n_tokens = tier.key.n_tokens;
        if (tier.index <= last_index || n_tokens <= last_tokens || n_tokens > most) {
            return "its tiers do not ascend, by number and by tokens, to cache_ubatch";
        }
        last_index = tier.index;
        last_tokens = n_tokens;
        const std::string fault = tier_fault(tier);
        if (!fault.empty()) return fmt::format("tier bs={}: {}", to_text(tier.key), fault);
    }
    return "";
}

}  // namespace

std::string to_text(const RegistryVariant& variant) {
    std::string text = fmt::format("\n[variant budget={} cache_ubatch={}]\n{}",
                                   variant.budget_mib,
                                   variant.cache_ubatch,
                                   pshard_text(variant.pshard));
    if (variant.baseline_vram_mib) {
        text += line_of(DisabledLine{true, *variant.baseline_vram_mib}, kDisabledFields);
    }
    for (const RegistryTier& tier : variant.tiers) text += tier_text(tier);
    return text;
}

std::string head_text(const RegistrySection& section) {
    std::string text = fmt::format("\n[fingerprint={}]\n", to_text(section.fingerprint));
    if (section.settings) text += "# " + line_of(*section.settings, kSettingsFields);
    return text + pshard_text(section.pshard);
}

std::string to_text(const RegistrySection& section) {
    std::string text = head_text(section);
    for (const RegistryVariant& variant : section.variants) text += to_text(variant);
    return text;
}

std::string to_text(const Registry& registry) {
    std::string text = fmt::format("{}\n", kFirstLine);
    for (const RegistrySection& section : registry.sections) text += to_text(section);
    return text;
}

Status check_writable(const RegistrySection& section) {
    for (const RegistryVariant& variant : section.variants) {
        const std::string fault = variant_fault(variant);
        if (!fault.empty()) {
            return Error{
                fmt::format("the variant budget={} cache_ubatch={} has no registry form: {}",
                            variant.budget_mib,
                            variant.cache_ubatch,
                            fault),
                {}};
        }
    }
    return Done{};
}

}  // namespace pshard
