// One table of fields per line type: it drives reading, writing and comparing alike.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/result.h"
#include "registry/value_text.h"

namespace pshard {

// A field of `Object`. An empty text stands for a field that is not set.
template <typename Object>
struct Field {
    std::string_view key;
    std::string_view expected;
    std::string (*write)(const Object&);
    bool (*read)(Object&, std::string_view);  // false: not readable, nothing changed
};

// The type behind std::optional, or the type itself.
template <typename T>
struct Unwrapped {
    using Type = T;
};
template <typename T>
struct Unwrapped<std::optional<T>> {
    using Type = T;
};

// A field of type T or std::optional<T>, where ValueText<T> exists.
template <auto Member, typename Object>
constexpr Field<Object> field(std::string_view key) {
    using Declared = std::remove_cvref_t<decltype(std::declval<Object&>().*Member)>;
    using Value = typename Unwrapped<Declared>::Type;
    using Text = ValueText<Value>;
    return {key, Text::kExpected,
            [](const Object& object) {
                const std::optional<Value> value = object.*Member;
                return value ? Text::write(*value) : std::string();
            },
            [](Object& object, std::string_view text) {
                const std::optional<Value> value = Text::read(text);
                if (value) object.*Member = *value;
                return value.has_value();
            }};
}

// What became of the pairs of a line.
struct PairsReading {
    struct Fault {
        std::string pair;  // as it stood
        Error error;
    };

    std::vector<std::string_view> seen;  // known keys that were read
    std::vector<Fault> faults;           // unreadable or repeated pairs
    std::vector<std::string> unknown;    // pairs with a key that is not in the table
};

// Reads `key=value` pairs between blanks. `place` is that of line[0].
template <typename Object>
PairsReading read_pairs(std::string_view line, const Place& place,
                        std::span<const Field<Object>> table, Object& object) {
    PairsReading reading;
    for (const Token& token : tokens_of(line, place.column)) {
        const std::size_t equals = token.text.find('=');
        const std::string_view key = token.text.substr(0, equals);
        const auto* known = std::ranges::find(table, key, &Field<Object>::key).base();
        const auto fault = [&](std::string message) {
            reading.faults.push_back(
                {std::string(token.text),
                 {std::move(message), {place.file, place.line, token.column}}});
        };
        if (equals == std::string_view::npos || equals == 0) {
            fault(fmt::format("'{}': expected KEY=VALUE", token.text));
        } else if (known == std::to_address(table.end())) {
            reading.unknown.emplace_back(token.text);
        } else if (std::ranges::find(reading.seen, key) != reading.seen.end()) {
            fault(fmt::format("'{}': expected {} only once", token.text, key));
        } else if (!known->read(object, token.text.substr(equals + 1))) {
            fault(fmt::format("'{}': expected {}", token.text, known->expected));
        } else {
            reading.seen.push_back(known->key);
        }
    }
    return reading;
}

}  // namespace pshard
