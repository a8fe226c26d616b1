// One table of fields per type of line: it drives reading, writing and comparing alike.
#pragma once

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
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

template <typename MemberPointer>
struct ClassOf;

template <typename Class, typename Member>
struct ClassOf<Member Class::*> {
    using Type = Class;
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

// A member, or a member of a member, of type T or std::optional<T>, where ValueText<T> exists.
template <auto First, auto... Rest>
constexpr auto field(std::string_view key) {
    using Object = typename ClassOf<decltype(First)>::Type;
    using Declared = std::remove_cvref_t<decltype(((std::declval<Object&>().*First).*....*Rest))>;
    using Value = typename Unwrapped<Declared>::Type;
    using Text = ValueText<Value>;
    return Field<Object>{key,
                         Text::kExpected,
                         [](const Object& object) {
                             const std::optional<Value> value = ((object.*First).*....*Rest);
                             return value ? Text::write(*value) : std::string();
                         },
                         [](Object& object, std::string_view text) {
                             const std::optional<Value> value = Text::read(text);
                             if (value) ((object.*First).*....*Rest) = *value;
                             return value.has_value();
                         }};
}

template <typename Object>
const Field<Object>* find_field(std::span<const Field<Object>> table, std::string_view key) {
    for (const Field<Object>& field : table) {
        if (field.key == key) return &field;
    }
    return nullptr;
}

// What became of the pairs of a line.
struct PairsReading {
    struct Fault {
        std::string pair;  // as it stood
        Error error;
    };

    std::vector<std::string_view> seen;  // known keys that were read
    std::vector<Fault> faults;           // unreadable or repeated pairs
    std::vector<Token> unknown;          // pairs with a key that is not in the table
};

// Reads one pair; the text of what is wrong with it, or "".
template <typename Object>
std::string read_pair(const Token& token,
                      std::span<const Field<Object>> table,
                      Object& object,
                      PairsReading& reading) {
    const std::string_view pair = token.text;
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || equals == 0) return "expected KEY=VALUE";
    const Field<Object>* known = find_field(table, pair.substr(0, equals));
    if (known == nullptr) {
        reading.unknown.push_back(token);
        return "";
    }
    if (std::ranges::find(reading.seen, known->key) != reading.seen.end()) {
        return fmt::format("expected {} only once", known->key);
    }
    if (!known->read(object, pair.substr(equals + 1))) {
        return fmt::format("expected {}", known->expected);
    }
    reading.seen.push_back(known->key);
    return "";
}

// Reads `key=value` pairs between blanks. `place` is that of line[0].
template <typename Object>
PairsReading read_pairs(std::string_view line,
                        const Place& place,
                        std::span<const Field<Object>> table,
                        Object& object) {
    PairsReading reading;
    for (const Token& token : tokens_of(line, place.column)) {
        const std::string fault = read_pair(token, table, object, reading);
        if (fault.empty()) continue;
        const Place here = {place.file, place.line, token.column};
        reading.faults.push_back(
            {std::string(token.text), {fmt::format("'{}': {}", token.text, fault), here}});
    }
    return reading;
}

// The fields that are set, as `key=value`.
template <typename Object>
std::vector<std::string> pair_texts(const Object& object, std::span<const Field<Object>> table) {
    std::vector<std::string> pairs;
    for (const Field<Object>& field : table) {
        const std::string value = field.write(object);
        if (!value.empty()) pairs.push_back(fmt::format("{}={}", field.key, value));
    }
    return pairs;
}

}  // namespace pshard
