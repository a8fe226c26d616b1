// A record as a table of its fields. Each row names a field's key, its member, and the form in
// which the field stands in a text. Everything that reads, writes or compares records walks the
// table, so a new field is a new row:
//
//   constexpr std::array kFields = {field<&Copy::mb>("size"),             the form of the type
//                                   field<Fixed<1>, &Copy::rate>("GB/s"), a form of its own
//                                   field<&Tier::choice, &Choice::n>("n")};   a member of a member
//
// A form is a struct of static functions for one type of value:
//
//   using Value = ...;                          the type of the member
//   std::string expected()                      what may stand there, for a message: "0 or 1"
//   void write(std::string& out, const Value&)  appends the word
//   bool read(std::string_view word, Value&)    false if the word is not readable: value unchanged
//
// A member may be a std::optional of the form's type. One that is not set is written as nothing,
// and its column may be missing at the end of a line. An empty word therefore means "not set", and
// no form but that of a text reads or writes an empty word.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <iterator>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <fmt/compile.h>
#include <fmt/format.h>

#include "base/fingerprint.h"
#include "base/text.h"

namespace pshard {

// ---- forms ----

// A whole number from Min to Max.
template <std::integral T,
          T Min = std::numeric_limits<T>::min(),
          T Max = std::numeric_limits<T>::max()>
struct Whole {
    using Value = T;

    static std::string expected() { return fmt::format("a whole number from {} to {}", Min, Max); }

    static void write(std::string& out, T value) {
        fmt::format_to(std::back_inserter(out), FMT_COMPILE("{}"), value);
    }

    static bool read(std::string_view word, T& value) {
        const auto number = number_of<T>(word);
        if (!number || *number < Min || *number > Max) return false;
        value = *number;
        return true;
    }
};

struct Flag {
    using Value = bool;

    static std::string expected() { return "0 or 1"; }

    static void write(std::string& out, bool value) { out += value ? '1' : '0'; }

    static bool read(std::string_view word, bool& value) {
        if (word != "0" && word != "1") return false;
        value = word == "1";
        return true;
    }
};

// A number that is not negative, with as many digits as it needs.
struct NotNegative {
    using Value = double;

    static std::string expected() { return "a number that is not negative"; }

    static void write(std::string& out, double value) {
        fmt::format_to(std::back_inserter(out), "{}", value);
    }

    static bool read(std::string_view word, double& value) {
        const auto number = number_of<double>(word);
        if (!number || *number < 0) return false;
        value = *number;
        return true;
    }
};

struct HexHash {
    using Value = Hash64;

    static std::string expected() { return "0x and 16 lowercase hex digits"; }

    static void write(std::string& out, Hash64 value) { out += to_text(value); }

    static bool read(std::string_view word, Hash64& value) {
        const auto hash = hash_of(word);
        if (hash) value = *hash;
        return hash.has_value();
    }
};

// A text without blanks.
struct Word {
    using Value = std::string;

    static std::string expected() { return "a word"; }

    static void write(std::string& out, const std::string& value) { out += value; }

    static bool read(std::string_view word, std::string& value) {
        if (word.empty()) return false;
        value = word;
        return true;
    }
};

// An enumerator, written as its word. `Words` holds the words in the order of the enumerators,
// which count from 0.
template <typename Enum, const auto& Words>
struct OneOf {
    using Value = Enum;

    // "one of off, on, auto"
    static std::string expected() { return fmt::format("one of {}", fmt::join(Words, ", ")); }

    static void write(std::string& out, Enum value) {
        out += Words[static_cast<std::size_t>(value)];
    }

    static bool read(std::string_view word, Enum& value) {
        const auto found = std::ranges::find(Words, word);
        if (found == Words.end()) return false;
        value = static_cast<Enum>(found - Words.begin());
        return true;
    }
};

// ---- fields ----

template <typename Record>
struct Field {
    std::string_view key;
    bool may_miss;
    std::string (*expected)();
    void (*write)(std::string& out, const Record& record);
    bool (*read)(std::string_view word, Record& record);
    bool (*same)(const Record& a, const Record& b);
};

template <typename Record>
using Fields = std::span<const Field<std::type_identity_t<Record>>>;

namespace detail {

template <typename>
struct MemberPointer;

template <typename C, typename M>
struct MemberPointer<M C::*> {
    using Class = C;
};

template <typename T>
struct DefaultForm;

template <>
struct DefaultForm<bool> : Flag {};

template <>
struct DefaultForm<double> : NotNegative {};

template <>
struct DefaultForm<Hash64> : HexHash {};

template <>
struct DefaultForm<std::string> : Word {};

template <typename T>

requires(std::integral<T> && !std::same_as<T, bool>) struct DefaultForm<T> : Whole<T> {
};

template <typename T>
struct DefaultForm<std::optional<T>> : DefaultForm<T> {};

template <auto First, auto... Rest>
struct Member {
    using Record = typename MemberPointer<decltype(First)>::Class;
    using Type = std::remove_cvref_t<decltype(((std::declval<Record&>().*First).*....*Rest))>;

    static Type& of(Record& record) { return ((record.*First).*....*Rest); }

    static const Type& of(const Record& record) { return ((record.*First).*....*Rest); }
};

template <typename Form, typename M>
void write_member(std::string& out, const typename M::Record& record) {
    if constexpr (std::is_same_v<typename M::Type, typename Form::Value>) {
        Form::write(out, M::of(record));
    } else if (const auto& value = M::of(record)) {
        Form::write(out, *value);
    }
}

template <typename Form, typename M>
bool read_member(std::string_view word, typename M::Record& record) {
    if constexpr (std::is_same_v<typename M::Type, typename Form::Value>) {
        return Form::read(word, M::of(record));
    } else {
        typename Form::Value value{};
        const bool good = Form::read(word, value);
        if (good) M::of(record) = std::move(value);
        return good;
    }
}

}  // namespace detail

template <typename Form, auto... Members>
constexpr auto field(std::string_view key) {
    using M = detail::Member<Members...>;
    using Record = typename M::Record;
    return Field<Record>{key,
                         !std::is_same_v<typename M::Type, typename Form::Value>,
                         Form::expected,
                         detail::write_member<Form, M>,
                         detail::read_member<Form, M>,
                         [](const Record& a, const Record& b) { return M::of(a) == M::of(b); }};
}

template <auto First, auto... Rest>
constexpr auto field(std::string_view key) {
    return field<detail::DefaultForm<typename detail::Member<First, Rest...>::Type>,
                 First,
                 Rest...>(key);
}

// The row with that key; nullptr if there is none.
template <typename Record>
const Field<Record>* find_field(std::span<const Field<Record>> fields, std::string_view key) {
    const auto found = std::ranges::find(fields, key, &Field<Record>::key);
    return found == fields.end() ? nullptr : &*found;
}

template <typename Record>
std::string text_of(const Field<Record>& field, const Record& record) {
    std::string text;
    field.write(text, record);
    return text;
}

// ---- columns: values without keys, in the order of the table ----

template <typename Record>
void read_column(Cursor& in, Record& record, const Field<Record>& field) {
    if (!field.read(in.word(), record)) {
        in.expected(fmt::format("{} ({})", field.key, field.expected()));
    }
}

template <typename Record>
void read_columns(Cursor& in, Record& record, Fields<Record> fields) {
    for (const Field<Record>& field : fields) {
        if (field.may_miss && !in.has_word()) continue;
        read_column(in, record, field);
    }
}

// Appends " VALUE VALUE ...", with a space before each value; a value that is not set adds nothing.
template <typename Record>
void write_columns(std::string& out, const Record& record, Fields<Record> fields) {
    for (const Field<Record>& field : fields) {
        out += ' ';
        const std::size_t begin = out.size();
        field.write(out, record);
        if (out.size() == begin) out.pop_back();
    }
}

}  // namespace pshard
