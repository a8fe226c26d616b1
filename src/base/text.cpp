#include "base/text.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

namespace pshard {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }

}  // namespace

Error TextLine::error(std::size_t at, std::string message) const {
    return {std::move(message), {place.file, place.line, place.column + static_cast<int>(at)}};
}

std::size_t Lines::Iterator::size() const {
    return std::min(rest_.find('\n'), rest_.size() - 1) + 1;
}

TextLine Lines::Iterator::operator*() const {
    const std::string_view raw = rest_.substr(0, size());
    std::string_view line = raw;
    if (line.ends_with('\n')) line.remove_suffix(1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return {line, raw, Place{*file_, number_, 1}};
}

Lines::Iterator& Lines::Iterator::operator++() {
    rest_.remove_prefix(size());
    ++number_;
    return *this;
}

Result<std::uint32_t> mib_of(std::string_view variable, std::string_view text) {
    if (const auto mib = number_of<std::uint32_t>(text)) return *mib;
    return Error{fmt::format("{}: '{}' is no number of MiB from 0 to {}",
                             variable,
                             text,
                             std::numeric_limits<std::uint32_t>::max()),
                 {}};
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    for (std::size_t begin = 0; begin <= text.size() && !text.empty();) {
        const std::size_t end = std::min(text.find(separator, begin), text.size());
        parts.emplace_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return parts;
}

std::size_t Cursor::next() const {
    std::size_t next = at_;
    while (next < text_.size() && is_blank(text_[next])) ++next;
    return next;
}

std::string_view Cursor::word() {
    if (fault_) return {};
    word_ = at_ = next();
    if (!is_line_ && at_ < text_.size() && text_[at_] == '"') {
        for (++at_; at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\n'; ++at_) {
            if (text_[at_] == '\\') ++at_;
        }
        at_ = std::min(at_ + 1, text_.size());
    } else {
        while (at_ < text_.size() && !is_blank(text_[at_]) && text_[at_] != '\n') ++at_;
    }
    return text_.substr(word_, at_ - word_);
}

bool Cursor::has_word() const {
    const std::size_t at = next();
    return !fault_ && at < text_.size() && text_[at] != '\n';
}

bool Cursor::next_begins_with(char c) const { return has_word() && text_[next()] == c; }

std::string_view Cursor::rest_of_line() {
    word_ = at_;
    at_ = std::min(text_.find('\n', at_), text_.size());
    return text_.substr(word_, at_ - word_);
}

void Cursor::expect_word(std::string_view wanted) {
    if (word() != wanted) expected(fmt::format("'{}'", wanted));
}

void Cursor::end_line(std::string_view what) {
    if (has_word()) {
        word();
        return expected(fmt::format("the end of {}", what));
    }
    word_ = at_ = next();
    if (at_ < text_.size()) {
        ++at_;
    } else if (!is_line_) {
        expected("a line end");
    }
}

Place Cursor::place() const {
    const std::string_view before = text_.substr(0, word_);
    const std::size_t line_begin = before.rfind('\n') + 1;  // npos + 1 is 0
    const auto n_lines = std::count(before.begin(), before.end(), '\n');
    const int column = line_begin > 0 ? 1 : begin_.column;
    return {begin_.file,
            begin_.line + static_cast<int>(n_lines),
            column + static_cast<int>(word_ - line_begin)};
}

void Cursor::fail(std::string message) {
    if (!fault_) fault_ = Error{std::move(message), place()};
}

void Cursor::expected(std::string_view what) {
    if (fault_) return;
    constexpr std::size_t kMostShown = 40;
    const std::string_view found = text_.substr(word_, std::min(at_ - word_, kMostShown));
    if (!found.empty()) return fail(fmt::format("expected {}, found '{}'", what, found));
    const bool is_file_end = at_ == text_.size() && !is_line_;
    fail(fmt::format("expected {}, found the end of the {}", what, is_file_end ? "file" : "line"));
}

}  // namespace pshard
