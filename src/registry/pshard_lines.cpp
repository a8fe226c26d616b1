// The lines that only we read: their pairs, both ways, and the key that a plan is matched by.
//
// In:   a struct of pshard_lines.h and its table of fields (registry_fields.h).
// Out:  comment lines, and back.
//
//     PshardTier -> "depth=4096", "tps=41.25", ... -> # pshard tier depth=4096 tps=41.25 ...
//                                                     # pshard tier arena=1048576 ...
//
// A struct takes as many lines as it needs to keep each within 100 columns; a reader puts the pairs
// of all of them into one struct. A pair that this version does not know is kept as it stands and
// written again, so that a file loses nothing when an older program saves it.
//
// A whole PlanChoice is one value of such a pair. Its own pairs have ':' and ',' in place of '='
// and blanks: plan=strategy:NAME,n_pinned:2,... A choice counts only with all of its fields.
//
// Trap: the hashes of weights and states do not depend on an order, since a backend sees tensors in
// another order than the file has them. Weights that no device holds (Side::Input) are left out:
// a backend never sees them.
#include "registry/pshard_lines.h"

#include <algorithm>
#include <map>

#include "registry/pairs.h"
#include "registry/registry_fields.h"

namespace pshard {

namespace {

std::string replaced(std::string text, char from, char to) {
    std::ranges::replace(text, from, to);
    return text;
}

template <typename Line>
std::vector<Error> read_line(Cursor& in, Line& line, Fields<Line> fields) {
    PairsReading reading = read_pairs(in, line, fields);
    std::vector<Error> errors;
    for (PairsReading::Unread& fault : reading.faults) {
        line.unknown.emplace_back(fault.pair);
        errors.push_back(std::move(fault.error));
    }
    for (const PairsReading::Unread& later : reading.unknown) {
        line.unknown.emplace_back(later.pair);
    }
    return errors;
}

template <typename Line>
std::string lines_of(std::string_view level, const Line& pshard, Fields<Line> fields) {
    constexpr std::size_t kMaxColumns = 100;
    std::vector<std::string> pairs = pair_texts(pshard, fields);
    pairs.insert(pairs.end(), pshard.unknown.begin(), pshard.unknown.end());
    std::string text;
    std::string line;
    for (const std::string& pair : pairs) {
        if (!line.empty() && line.size() + 1 + pair.size() > kMaxColumns) {
            text += line + "\n";
            line.clear();
        }
        if (line.empty()) line = fmt::format("# pshard {}", level);
        line += " " + pair;
    }
    return line.empty() ? "" : text + line + "\n";
}

}  // namespace

// A pass of three decades: no machine is so slow.
constexpr double kMostSeconds = 1e9;

void PassPoints::write(std::string& out, const Value& points) {
    const char* comma = "";
    for (const PassPoint& point : points) {
        fmt::format_to(std::back_inserter(out), "{}{}:{}", comma, point.depth, point.seconds);
        comma = ",";
    }
}

bool PassPoints::read(std::string_view word, Value& points) {
    Value read;
    for (const std::string& part : split(word, ',')) {
        const std::vector<std::string> pair = split(part, ':');
        if (pair.size() != 2) return false;
        const auto depth = number_of<std::uint32_t>(pair[0]);
        const auto seconds = number_of<double>(pair[1]);
        const bool follows = read.empty() || (depth && read.back().depth < *depth);
        if (!depth || *depth > kMostTokens || !seconds || !follows) return false;
        if (*seconds <= 0 || *seconds > kMostSeconds) return false;
        read.push_back({*depth, *seconds});
    }
    if (read.empty()) return false;
    points = std::move(read);
    return true;
}

std::string ChoiceWord::expected() {
    return "strategy:NAME,n_pinned:N,n_attn_pinned:N,overflow:NAME,output_on_gpu:B,pin_from_back:B";
}

void ChoiceWord::write(std::string& out, const PlanChoice& choice) {
    const auto pairs = pair_texts(choice, kChoiceFields);
    out += replaced(fmt::format("{}", fmt::join(pairs, ",")), '=', ':');
}

bool ChoiceWord::read(std::string_view word, PlanChoice& choice) {
    const std::string pairs = replaced(replaced(std::string(word), ',', ' '), ':', '=');
    PlanChoice read;
    Cursor in(TextLine{pairs, pairs, {}});
    const PairsReading reading = read_pairs(in, read, kChoiceFields);
    if (reading.seen.size() != kChoiceFields.size() || !reading.faults.empty() ||
        !reading.unknown.empty()) {
        return false;
    }
    choice = read;
    return true;
}

namespace {

Hash64 hash_of_weights(const std::vector<Weight>& weights, bool (*is_seen)(const Weight&)) {
    std::vector<std::string> lines;
    for (const Weight& weight : weights) {
        if (!is_seen(weight)) continue;
        lines.push_back(
            fmt::format("{} {} {}\n", weight.name, weight.type, fmt::join(weight.shape, " ")));
    }
    std::ranges::sort(lines);
    return text_hash(fmt::format("{}", fmt::join(lines, "")));
}

}  // namespace

Hash64 weights_hash(const std::vector<Weight>& weights) {
    return hash_of_weights(weights,
                           [](const Weight& weight) { return weight.side != Side::Input; });
}

Hash64 all_weights_hash(const std::vector<Weight>& weights) {
    return hash_of_weights(weights, [](const Weight& weight) {
        return weight.side != Side::Input || weight.layer >= 0;
    });
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
    const Hash64 weights = weights_hash(inventory.weights);
    const Hash64 all = all_weights_hash(inventory.weights);
    return {.version = kPshardVersion,
            .weights = weights,
            .all_weights = all == weights ? std::nullopt : std::optional(all),
            .tensors = inventory.header_hash == 0 ? std::nullopt
                                                  : std::optional(Hash64{inventory.header_hash}),
            .states = states_hash(inventory.states),
            .smaller_states = {},
            .n_ubatch = context.n_ubatch,
            .asked_ubatch = {},
            .output_rows = output_rows(context, context.n_ubatch),
            .kv_unified = context.kv_unified,
            .swa_full = context.swa_full,
            .windowed = is_windowed(inventory),
            .shared = {},
            .outside = {},
            .unseen = {},
            .machine = machine,
            .checksum = {},
            .unknown = {}};
}

std::vector<Error> read_pshard(Cursor& pairs, PshardSection& pshard) {
    return read_line(pairs, pshard, kPshardSectionFields);
}

std::vector<Error> read_pshard(Cursor& pairs, PshardVariant& pshard) {
    return read_line(pairs, pshard, kPshardVariantFields);
}

std::vector<Error> read_pshard(Cursor& pairs, PshardTier& pshard) {
    return read_line(pairs, pshard, kPshardTierFields);
}

std::string pshard_text(const PshardSection& pshard) {
    return lines_of("section", pshard, kPshardSectionFields);
}

// The checksum has a line of its own, so that a user can delete it.
std::string pshard_text(const PshardVariant& pshard) {
    PshardVariant others = pshard;
    others.checksum.reset();
    PshardVariant checksum;
    checksum.checksum = pshard.checksum;
    return lines_of("variant", others, kPshardVariantFields) +
           lines_of("variant", checksum, kPshardVariantFields);
}

std::string pshard_text(const PshardTier& pshard) {
    return lines_of("tier", pshard, kPshardTierFields);
}

}  // namespace pshard
