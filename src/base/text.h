// Reads text that somebody else wrote: words, numbers, and the place of the first fault.
//
// A Cursor walks through a text word by word. A word ends at a blank or at the end of its line. A
// word that begins with a quotation mark ends at the next quotation mark, so it may hold blanks.
// The Cursor keeps the first fault with its place, and gives only empty words after it. A reader
// can therefore ask for everything that it needs, and look for a fault once, at the end:
//
//   cpu_profile.txt:5:14: expected threads (a whole number from 0 to 1000000), found 'eight'
//                | |               |         |                                      |
//             line column        field     what may stand there         what does stand there
//
// Traps: nobody may believe a count that a text claims before as many records were read
// (`bytes_left` bounds the count). A word points into the text and lives as long as the text does.
#pragma once

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/result.h"

namespace pshard {

struct TextLine {
    std::string_view text;  // without LF or CR LF
    std::string_view raw;   // with LF or CR LF
    Place place;            // where text[0] stands

    // An error at byte `at` of the line, counted from 0.
    [[nodiscard]] Error error(std::size_t at, std::string message) const;
};

// The lines of a text, made one after the other as a loop asks for them: a text of line feeds alone
// would take a hundred times its size.
class Lines {
public:
    Lines(std::string_view text, const std::string& file) : text_(text), file_(file) {}

    class Iterator {
    public:
        Iterator(std::string_view rest, const std::string& file) : rest_(rest), file_(&file) {}

        TextLine operator*() const;
        Iterator& operator++();

        bool operator!=(std::nullptr_t) const { return !rest_.empty(); }

    private:
        [[nodiscard]] std::size_t size() const;  // of the line, with its end

        std::string_view rest_;
        const std::string* file_;
        int number_ = 1;
    };

    [[nodiscard]] Iterator begin() const { return {text_, file_}; }

    [[nodiscard]] static std::nullptr_t end() { return nullptr; }

private:
    std::string_view text_;
    std::string file_;
};

[[nodiscard]] inline Lines lines_of(std::string_view text, const std::string& file) {
    return {text, file};
}

// The decimal number that fills the whole text; nullopt if it is out of the range of its type or
// not finite. A minus sign may stand before it, but no plus sign and no blank.
template <typename Number>
[[nodiscard]] std::optional<Number> number_of(std::string_view text) {
    Number value{};
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stop != end) return std::nullopt;
    if constexpr (std::is_floating_point_v<Number>) {
        if (!std::isfinite(value)) return std::nullopt;
    }
    return value;
}

// The MiB that a variable of that name gives. The error names both.
[[nodiscard]] Result<std::uint32_t> mib_of(std::string_view variable, std::string_view text);

// What stands between the separators, empty parts, too: "a,," has three. An empty text has none.
[[nodiscard]] std::vector<std::string> split(std::string_view text, char separator);

class Cursor {
public:
    // Walks over one line, from its byte `begin` on.
    explicit Cursor(const TextLine& line, std::size_t begin = 0)
        : text_(line.text), begin_(line.place), at_(begin), word_(begin), is_line_(true) {}

    // Walks over a whole file.
    Cursor(std::string_view text, const std::string& file) : text_(text), begin_{file, 1, 1} {}

    [[nodiscard]] bool failed() const { return fault_.has_value(); }

    [[nodiscard]] const std::optional<Error>& fault() const { return fault_; }

    [[nodiscard]] std::size_t bytes_left() const { return text_.size() - at_; }

    // The next word of the line, with its quotation marks; empty at the end of the line.
    std::string_view word();

    // Whether the line has another word, and whether it begins with `c`.
    [[nodiscard]] bool has_word() const;
    [[nodiscard]] bool next_begins_with(char c) const;

    // The rest of the line, unchanged.
    std::string_view rest_of_line();

    // Reads the next word; any word but `wanted` is a fault.
    void expect_word(std::string_view wanted);

    // Goes on to the next line. A word that is left in the line is a fault, and so is a line of a
    // file without a line end. `what` names what should have ended.
    void end_line(std::string_view what = "the line");

    // The place of the word that was read last.
    [[nodiscard]] Place place() const;

    // Keep a fault at the word that was read last, unless there is one already.
    void fail(std::string message);
    void expected(std::string_view what);  // "expected WHAT, found 'WORD'"

private:
    [[nodiscard]] std::size_t next() const;  // where the next word begins, or the line ends

    std::string_view text_;
    Place begin_;           // where text_[0] stands
    std::size_t at_ = 0;    // the end of the word that was read last
    std::size_t word_ = 0;  // the beginning of that word
    bool is_line_ = false;  // whether text_ is one line, not a file
    std::optional<Error> fault_;
};

}  // namespace pshard
