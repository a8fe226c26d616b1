#include "registry/own_lines.h"

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

constexpr std::array kSectionFields = {field<&OwnSection::file_bytes>("file_bytes")};

constexpr std::array kVariantFields = {
    field<&OwnVariant::version>("version"),
    field<&OwnVariant::weights>("weights"),
    field<&OwnVariant::states>("states"),
    field<&OwnVariant::n_ubatch>("n_ubatch"),
    field<&OwnVariant::output_rows>("output_rows"),
    field<&OwnVariant::kv_unified>("kv_unified"),
    field<&OwnVariant::swa_full>("swa_full"),
    field<&OwnVariant::windowed>("windowed"),
    field<&OwnVariant::shared>("shared"),
    field<&OwnVariant::outside>("outside"),
    field<&OwnVariant::unseen>("unseen"),
    field<&OwnVariant::machine>("machine"),
};

constexpr std::array kTierFields = {
    field<&OwnTier::plan>("plan"),
    field<&OwnTier::depth>("depth"),
    field<&OwnTier::tps>("tps"),
    field<&OwnTier::tps_empty>("tps_empty"),
    field<&OwnTier::tps_full>("tps_full"),
    field<&OwnTier::ops>("ops"),
    field<&OwnTier::steps>("steps"),
    field<&OwnTier::arena>("arena"),
    field<&OwnTier::pinned>("pinned"),
    field<&OwnTier::states_bytes>("states_bytes"),
    field<&OwnTier::slots>("slots"),
    field<&OwnTier::scratch>("scratch"),
    field<&OwnTier::outside>("outside"),
    field<&OwnTier::slice_experts>("slice_experts"),
    field<&OwnTier::bound_by>("bound_by"),
};

template <typename Own>
std::vector<Error> read_line(std::string_view pairs,
                             const Place& place,
                             std::span<const Field<Own>> table,
                             Own& own) {
    // Of a continued line, the keys of the earlier ones count as seen: they are set.
    Own line;
    PairsReading reading = read_pairs(pairs, place, table, line);
    std::vector<Error> errors;
    for (const std::string_view key : reading.seen) {
        const Field<Own>* field = find_field(table, key);
        const std::string value = field->write(line);
        if (field->write(own).empty()) {
            field->read(own, value);
            continue;
        }
        const std::string pair = fmt::format("{}={}", key, value);
        reading.faults.push_back(
            {pair, {fmt::format("'{}': expected {} only once", pair, key), place}});
    }
    for (PairsReading::Fault& fault : reading.faults) {
        own.unknown.push_back(std::move(fault.pair));
        errors.push_back(std::move(fault.error));
    }
    for (const Token& token : reading.unknown) own.unknown.emplace_back(token.text);
    return errors;
}

template <typename Own>
std::string lines_of(std::string_view word, std::span<const Field<Own>> table, const Own& own) {
    constexpr std::size_t kMaxColumns = 100;
    std::vector<std::string> pairs = pair_texts(own, table);
    pairs.insert(pairs.end(), own.unknown.begin(), own.unknown.end());
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

OwnVariant plan_key(const Inventory& inventory, Hash64 machine) {
    const ContextSpec& context = inventory.context;
    return {.version = kOwnVersion,
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

std::vector<Error> read_own(std::string_view pairs, const Place& place, OwnSection& own) {
    return read_line<OwnSection>(pairs, place, kSectionFields, own);
}

std::vector<Error> read_own(std::string_view pairs, const Place& place, OwnVariant& own) {
    return read_line<OwnVariant>(pairs, place, kVariantFields, own);
}

std::vector<Error> read_own(std::string_view pairs, const Place& place, OwnTier& own) {
    return read_line<OwnTier>(pairs, place, kTierFields, own);
}

std::string own_text(const OwnSection& own) {
    return lines_of<OwnSection>("section", kSectionFields, own);
}

std::string own_text(const OwnVariant& own) {
    return lines_of<OwnVariant>("variant", kVariantFields, own);
}

std::string own_text(const OwnTier& own) { return lines_of<OwnTier>("tier", kTierFields, own); }

}  // namespace pshard
