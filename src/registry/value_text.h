// The values of `key=value` pairs, to and from text. Nothing is trimmed and nothing is guessed:
// value_of reads exactly the forms that value_text writes, and other spellings of the same number.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/fingerprint.h"
#include "strategy/rules.h"

namespace pshard {

// A word of a line. `column` counts from 1.
struct Token {
    std::string_view text;
    int column = 0;
};

// Splits at blanks; `first_column` is the column of line[0].
inline std::vector<Token> tokens_of(std::string_view line, int first_column) {
    std::vector<Token> tokens;
    std::size_t begin = line.find_first_not_of(" \t");
    while (begin != std::string_view::npos) {
        const std::size_t end = std::min(line.find_first_of(" \t", begin), line.size());
        tokens.push_back({line.substr(begin, end - begin), first_column + static_cast<int>(begin)});
        begin = line.find_first_not_of(" \t", end);
    }
    return tokens;
}

template <typename T>
struct ValueText;

template <typename T>

requires std::integral<T> &&(!std::same_as<T, bool>)struct ValueText<T> {
    static constexpr std::string_view kExpected = "a whole number";

    static std::string write(T value) { return fmt::format("{}", value); }

    static std::optional<T> read(std::string_view text) {
        T value{};
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
        return value;
    }
};

// Never negative: rates and sizes.
template <>
struct ValueText<double> {
    static constexpr std::string_view kExpected = "a number, not negative";

    static std::string write(double value) { return fmt::format("{}", value); }

    static std::optional<double> read(std::string_view text) {
        double value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
        if (!std::isfinite(value) || std::signbit(value)) return std::nullopt;
        return value;
    }
};

template <>
struct ValueText<bool> {
    static constexpr std::string_view kExpected = "0 or 1";

    static std::string write(bool value) { return value ? "1" : "0"; }

    static std::optional<bool> read(std::string_view text) {
        if (text != "0" && text != "1") return std::nullopt;
        return text == "1";
    }
};

template <>
struct ValueText<Hash64> {
    static constexpr std::string_view kExpected = "0x and 16 lowercase hex digits";

    static std::string write(Hash64 value) { return to_text(value); }

    static std::optional<Hash64> read(std::string_view text) { return hash_of(text); }
};

template <>
struct ValueText<std::string> {
    static constexpr std::string_view kExpected = "a word";

    static std::string write(const std::string& value) { return value; }

    static std::optional<std::string> read(std::string_view text) {
        if (text.empty()) return std::nullopt;
        return std::string(text);
    }
};

// By name only: the published files never hold ids.
template <>
struct ValueText<Strategy> {
    static constexpr std::string_view kExpected = "the name of a strategy";

    static std::string write(Strategy value) { return std::string(strategy_name(value)); }

    static std::optional<Strategy> read(std::string_view text) {
        const std::optional<Strategy> strategy = strategy_of(text);
        return strategy && strategy_name(*strategy) == text ? strategy : std::nullopt;
    }
};

template <>
struct ValueText<Overflow> {
    static constexpr std::string_view kExpected = "NONE, ATTN, UP, GATE or MOE";

    static std::string write(Overflow value) { return std::string(overflow_name(value)); }

    static std::optional<Overflow> read(std::string_view text) { return overflow_of(text); }
};

}  // namespace pshard
