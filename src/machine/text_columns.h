// Lines of profile files and the words in them, with the place of a fault. Internal to machine/.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pshard {

// One line of a file, without its end.
struct TextLine {
    std::string_view text;
    Place place;  // column 0
};

[[nodiscard]] std::vector<TextLine> lines_of(std::string_view text, const std::string& file);

// An error at a byte of the line; `at` counts from 0.
[[nodiscard]] Error error_at(const TextLine& line, std::size_t at, std::string message);

// A finite decimal number that fills the whole text.
[[nodiscard]] std::optional<double> parse_number(std::string_view text);

// Takes the words of a line one by one; the first fault is kept and the rest read as nothing.
class ColumnReader {
public:
    explicit ColumnReader(const TextLine& line, std::size_t begin = 0) : line_(line), at_(begin) {}

    std::string word(std::string_view name);
    double rate(std::string_view name);                            // not negative
    double positive(std::string_view name);                        // above 0
    std::optional<double> positive_or_end(std::string_view name);  // nullopt: no word is left
    std::int64_t count(std::string_view name,
                       std::int64_t most = std::numeric_limits<std::int64_t>::max());
    // Which of `words` it is.
    std::size_t choice(std::string_view name, std::span<const std::string_view> words);

    // The fault, if there was one or if words are left over. `what`: what should have ended.
    std::optional<Error> finish(std::string_view what);

private:
    void skip_blanks();
    std::string_view next(std::string_view name, std::string_view expected);
    double number(std::string_view name, bool may_be_zero);
    void refuse(std::string_view token, std::string_view name, std::string_view expected);

    const TextLine& line_;
    std::size_t at_;
    std::optional<Error> fault_;
};

}  // namespace pshard
