#include "registry/pshard_lines.h"

#include <algorithm>
#include <map>

#include "registry/field_table.h"

namespace pshard {

namespace {

constexpr std::array kChoiceFields = {
    field<&PlanChoice::strategy>("strategy"),
    field<&PlanChoice::n_pinned>("n_pinned"),
    field<&PlanChoice::n_attn_pinned>("n_attn_pinned"),
    field<&PlanChoice::overflow>("overflow"),
    field<&PlanChoice::output_on_gpu>("output_on_gpu"),
    field<&PlanChoice::pin_from_back>("pin_from_back"),
};

std::string replaced(std::string text, char from, char to) {
    std::ranges::replace(text, from, to);
    return text;
}

}  // namespace

// One value:
// "strategy:NAME,n_pinned:2,n_attn_pinned:0,overflow:NONE,output_on_gpu:1,pin_from_back:0".
template <>
struct ValueText<PlanChoice> {
    static constexpr std::string_view kExpected =
        "strategy:NAME,n_pinned:N,n_attn_pinned:N,overflow:NAME,output_on_gpu:B,pin_from_back:B";

    static std::string write(const PlanChoice& choice) {
        const auto pairs = pair_texts<PlanChoice>(choice, kChoiceFields);
        return replaced(fmt::format("{}", fmt::join(pairs, ",")), '=', ':');
    }

    static std::optional<PlanChoice> read(std::string_view text) {
        const std::string pairs = replaced(replaced(std::string(text), ',', ' '), ':', '=');
        PlanChoice choice;
        const auto reading = read_pairs<PlanChoice>(pairs, {}, kChoiceFields, choice);
        if (reading.seen.size() != kChoiceFields.size() || !reading.faults.empty() ||
            !reading.unknown.empty()) {
            return std::nullopt;
        }
        return choice;
    }
};

namespace {

constexpr std::array kSectionFields = {field<&PshardSection::file_bytes>("file_bytes")};

constexpr std::array kVariantFields = {
    field<&PshardVariant::version>("version"),
    field<&PshardVariant::weights>("weights"),
    field<&PshardVariant::states>("states"),
    field<&PshardVariant::n_ubatch>("n_ubatch"),
    field<&PshardVariant::output_rows>("output_rows"),
    field<&PshardVariant::kv_unified>("kv_unified"),
    field<&PshardVariant::swa_full>("swa_full"),
    field<&PshardVariant::windowed>("windowed"),
    field<&PshardVariant::shared>("shared"),
    field<&PshardVariant::outside>("outside"),
    field<&PshardVariant::unseen>("unseen"),
    field<&PshardVariant::machine>("machine"),
};

constexpr std::array kTierFields = {
    field<&PshardTier::plan>("plan"),
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

template <typename Line>
std::vector<Error> read_line(std::string_view pairs,
                             const Place& place,
                             std::span<const Field<Line>> table,
                             Line& pshard) {
    // Of a continued line, the keys of the earlier ones count as seen: they are set.
    Line line;
    PairsReading reading = read_pairs(pairs, place, table, line);
    std::vector<Error> errors;
    for (const std::string_view key : reading.seen) {
        const Field<Line>* field = find_field(table, key);
        const std::string value = field->write(line);
        if (field->write(pshard).empty()) {
            field->read(pshard, value);
            continue;
        }
        const std::string pair = fmt::format("{}={}", key, value);
        reading.faults.push_back(
            {pair, {fmt::format("'{}': expected {} only once", pair, key), place}});
    }
    for (PairsReading::Fault& fault : reading.faults) {
        pshard.unknown.push_back(std::move(fault.pair));
        errors.push_back(std::move(fault.error));
    }
    for (const Token& token : reading.unknown) pshard.unknown.emplace_back(token.text);
    return errors;
}

template <typename Line>
std::string lines_of(std::string_view word,
                     std::span<const Field<Line>> table,
                     const Line& pshard) {
    constexpr std::size_t kMaxColumns = 100;
    std::vector<std::string> pairs = pair_texts(pshard, table);
    pairs.insert(pairs.end(), pshard.unknown.begin(), pshard.unknown.end());
    std::string text;
    std::string line;
    for (const std::string& pair : pairs) {
        if (!line.empty() && line.size() + 1 + pair.size() > kMaxColumns) {
            text += line + "\n";
            line.clear();
        }
        if (line.empty()) line = fmt::format("# pshard {}", word);
        line += " " + pair;
    }
    return line.empty() ? "" : text + line + "\n";
}

}  // namespace

Hash64 weights_hash(const std::vector<Weight>& weights) {
    std::vector<std::string> lines;
    for (const Weight& weight : weights) {
        if (weight.side == Side::Input) continue;
        lines.push_back(
            fmt::format("{} {} {}\n", weight.name, weight.type, fmt::join(weight.shape, " ")));
    }
    std::ranges::sort(lines);
    return text_hash(fmt::format("{}", fmt::join(lines, "")));
}

Hash64 states_hash(const std::vector<State>& states) {
    std::map<int, Bytes> layers;
    for (const State& state : states) layers[state.layer] += state.bytes;
    std::string text;
    for (const auto& [layer, bytes] : layers) text += fmt::format("{} {}\n", layer, bytes);
    return text_hash(text);
}

PshardVariant plan_key(const Inventory& inventory, Hash64 machine) {
    const ContextSpec& context = inventory.context;
    return {.version = kPshardVersion,
            .weights = weights_hash(inventory.weights),
            .states = states_hash(inventory.states),
            .n_ubatch = context.n_ubatch,
            .output_rows = output_rows(context, context.n_ubatch),
            .kv_unified = context.kv_unified,
            .swa_full = context.swa_full,
            .windowed = is_windowed(inventory),
            .shared = {},
            .outside = {},
            .unseen = {},
            .machine = machine,
            .unknown = {}};
}

std::vector<Error> read_pshard(std::string_view pairs, const Place& place, PshardSection& pshard) {
    return read_line<PshardSection>(pairs, place, kSectionFields, pshard);
}

std::vector<Error> read_pshard(std::string_view pairs, const Place& place, PshardVariant& pshard) {
    return read_line<PshardVariant>(pairs, place, kVariantFields, pshard);
}

std::vector<Error> read_pshard(std::string_view pairs, const Place& place, PshardTier& pshard) {
    return read_line<PshardTier>(pairs, place, kTierFields, pshard);
}

std::string pshard_text(const PshardSection& pshard) {
    return lines_of<PshardSection>("section", kSectionFields, pshard);
}

std::string pshard_text(const PshardVariant& pshard) {
    return lines_of<PshardVariant>("variant", kVariantFields, pshard);
}

std::string pshard_text(const PshardTier& pshard) {
    return lines_of<PshardTier>("tier", kTierFields, pshard);
}

}  // namespace pshard
