// `KEY=VALUE` pairs with blanks between them, which most lines of a registry are made of. A table
// of fields (base/fields.h) says which keys there are.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/fields.h"

namespace pshard {

// What became of the pairs of a line. A pair that could not be read changed nothing.
struct PairsReading {
    struct Unread {
        std::string_view pair;  // as it stands
        Error error;
    };

    std::vector<std::string_view> seen;  // keys that were read
    std::vector<Unread> faults;          // pairs that are unreadable or repeated
    std::vector<Unread> unknown;         // pairs with a key that is not in the table
};

// Reads one pair. Gives what was expected in its place, or "" if the pair was read.
template <typename Record>
std::string read_pair(std::string_view pair,
                      const Field<Record>& field,
                      Record& record,
                      const std::vector<std::string_view>& seen) {
    // A pshard line may go on in further lines: the record has the keys of the earlier ones.
    const bool is_set = field.may_miss && !text_of(field, record).empty();
    if (is_set || std::ranges::find(seen, field.key) != seen.end()) {
        return fmt::format("{} only once", field.key);
    }
    const std::string_view value = pair.substr(field.key.size() + 1);
    return field.read(value, record) ? "" : field.expected();
}

// Reads the pairs in the rest of the line into `record`.
template <typename Record>
PairsReading read_pairs(Cursor& in, Record& record, Fields<Record> fields) {
    PairsReading reading;
    while (in.has_word()) {
        const std::string_view pair = in.word();
        const std::size_t equals = pair.find('=');
        const bool is_pair = equals != std::string_view::npos && equals > 0;
        const auto* field = find_field<Record>(fields, pair.substr(0, equals));
        if (is_pair && field == nullptr) {
            reading.unknown.push_back(
                {pair, {fmt::format("'{}' is not known here; not used", pair), in.place()}});
            continue;
        }
        const std::string expected =
            is_pair ? read_pair(pair, *field, record, reading.seen) : "KEY=VALUE";
        if (expected.empty()) {
            reading.seen.push_back(field->key);
        } else {
            reading.faults.push_back(
                {pair, {fmt::format("'{}': expected {}", pair, expected), in.place()}});
        }
    }
    return reading;
}

// The fields of `record` that are set, each as `KEY=VALUE`.
template <typename Record>
std::vector<std::string> pair_texts(const Record& record, Fields<Record> fields) {
    std::vector<std::string> pairs;
    for (const Field<Record>& field : fields) {
        const std::string value = text_of(field, record);
        if (!value.empty()) pairs.push_back(fmt::format("{}={}", field.key, value));
    }
    return pairs;
}

}  // namespace pshard
