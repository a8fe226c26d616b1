#include "machine/text_columns.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>

#include <fmt/format.h>

namespace pshard {

namespace {

constexpr std::string_view kBlanks = " \t";

// "measured, derived or quick"
std::string list_of(std::span<const std::string_view> words) {
    const auto front = words.first(words.size() - 1);
    return fmt::format("{} or {}", fmt::join(front, ", "), words.back());
}

}  // namespace

std::vector<TextLine> lines_of(std::string_view text, const std::string& file) {
    std::vector<TextLine> lines;
    int number = 0;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        std::string_view line = text.substr(0, end);
        if (line.ends_with('\r')) line.remove_suffix(1);
        lines.push_back({line, Place{file, ++number, 0}});
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return lines;
}

Error error_at(const TextLine& line, std::size_t at, std::string message) {
    Place place = line.place;
    place.column = static_cast<int>(at) + 1;
    return {std::move(message), place};
}

std::optional<double> parse_number(std::string_view text) {
    double value = 0;
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || at != end || !std::isfinite(value)) return std::nullopt;
    return value;
}

std::string ColumnReader::word(std::string_view name) { return std::string(next(name, "a word")); }

double ColumnReader::rate(std::string_view name) { return number(name, true); }

double ColumnReader::positive(std::string_view name) { return number(name, false); }

std::optional<double> ColumnReader::positive_or_end(std::string_view name) {
    skip_blanks();
    if (!fault_ && at_ == line_.text.size()) return std::nullopt;
    return positive(name);
}

double ColumnReader::number(std::string_view name, bool may_be_zero) {
    const std::string_view expected =
        may_be_zero ? "a number that is not negative" : "a number above 0";
    const std::string_view token = next(name, expected);
    const auto value = parse_number(token);
    const bool good = value && (may_be_zero ? *value >= 0 : *value > 0);
    if (!good) refuse(token, name, expected);
    return value.value_or(0);
}

std::int64_t ColumnReader::count(std::string_view name, std::int64_t most) {
    constexpr std::string_view kExpected = "a whole number that is not negative";
    const std::string_view token = next(name, kExpected);
    std::int64_t value = 0;
    const char* end = token.data() + token.size();
    const auto [at, error] = std::from_chars(token.data(), end, value);
    if (error != std::errc{} || at != end || value < 0) refuse(token, name, kExpected);
    if (value > most) refuse(token, name, fmt::format("a whole number up to {}", most));
    return value;
}

std::size_t ColumnReader::choice(std::string_view name, std::span<const std::string_view> words) {
    const std::string expected = list_of(words);
    const std::string_view token = next(name, expected);
    const auto found = std::find(words.begin(), words.end(), token);
    if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
    refuse(token, name, expected);
    return 0;
}

std::optional<Error> ColumnReader::finish(std::string_view what) {
    skip_blanks();
    if (!fault_ && at_ < line_.text.size()) {
        fault_ = error_at(line_, at_, fmt::format("expected the end of {}", what));
    }
    return fault_;
}

void ColumnReader::skip_blanks() {
    at_ = std::min(line_.text.find_first_not_of(kBlanks, at_), line_.text.size());
}

std::string_view ColumnReader::next(std::string_view name, std::string_view expected) {
    if (fault_) return {};
    skip_blanks();
    const std::size_t begin = at_;
    at_ = std::min(line_.text.find_first_of(kBlanks, at_), line_.text.size());
    if (begin == at_) {
        fault_ =
            error_at(line_,
                     begin,
                     fmt::format("expected {} ({}), found the end of the line", name, expected));
    }
    return line_.text.substr(begin, at_ - begin);
}

void ColumnReader::refuse(std::string_view token,
                          std::string_view name,
                          std::string_view expected) {
    if (fault_) return;
    fault_ = error_at(line_,
                      static_cast<std::size_t>(token.data() - line_.text.data()),
                      fmt::format("expected {} ({}), found \"{}\"", name, expected, token));
}

}  // namespace pshard
