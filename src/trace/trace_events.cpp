// How the events of a trace are found one by one.
//
// In:   the text of an array of objects, piece by piece, which may end anywhere.
// Out:  the text of each object, and whether the array was closed or cut off.
//
//     [\n{"ph":"M", ...},\n{"ph":"X", "args":{...}},\n{"ph":"X", "ar
//        `-- event --'     `------- event -------'     `- cut off: counts as missing
//
// A JSON parser would refuse a text that a killed run left open. So the end of each object is found
// by counting braces, and the parser gets one object at a time. A window of the text holds that
// object:
//
//     pieces  ->  [ taken | event ... | not looked at ]     what was taken is forgotten before more
//     is read
//
// Traps: braces in quotation marks do not count, and a quotation mark behind a backslash ends none.
// A parsed event takes many times the memory of its text, so its length and depth are limited.
#include "trace/trace_events.h"

#include <algorithm>

#include <fmt/format.h>

namespace pshard {
namespace {

constexpr std::size_t kPiece = std::size_t{256} << 10U;
constexpr std::size_t kLongestEvent = std::size_t{4} << 20U;
constexpr int kDeepest = 64;

// The index behind the brace that closes the object at text[0]; npos if the object is cut off.
// `deepest` becomes the most lists and objects in one another.
std::size_t end_of_object(std::string_view text, int& deepest) {
    int depth = 0;
    int lists = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quoted) {
            if (c == '\\') ++i;
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{') {
            ++depth;
        } else if (c == '[' || c == ']') {
            lists += c == '[' ? 1 : -1;
        } else if (c == '}' && --depth == 0) {
            return i + 1;
        }
        deepest = std::max(deepest, depth + lists);
    }
    return std::string_view::npos;
}

}  // namespace

Place TraceEvents::place_of(const char* at) const {
    const std::string_view before(window_.data() + mark_, at);
    const std::size_t line_begin = before.rfind('\n') + 1;  // npos + 1 is 0
    const int column = line_begin > 0 ? 1 : marked_.column;
    return {file_,
            marked_.line + static_cast<int>(std::count(before.begin(), before.end(), '\n')),
            column + static_cast<int>(before.size() - line_begin)};
}

Error TraceEvents::error_here(std::string message) const {
    if (unread_) return *unread_;
    return {std::move(message), place_of(window_.data() + at_)};
}

void TraceEvents::mark_here() {
    marked_ = place_of(window_.data() + at_);
    mark_ = at_;
}

void TraceEvents::forget_taken() {
    mark_here();
    window_.erase(0, at_);
    at_ = mark_ = 0;
}

// Reads a piece to the end of the window; false at the end of the text, or where it cannot be read.
bool TraceEvents::read_more() {
    if (read_all_) return false;
    const Result<bool> more = pieces_(window_, std::max(kPiece, window_.size()));
    if (!more) unread_ = more.error();
    read_all_ = !more || !more.value();
    return !read_all_;
}

void TraceEvents::skip_blanks() {
    for (;;) {
        at_ = std::min(window_.find_first_not_of(" \t\r\n", at_), window_.size());
        if (at_ < window_.size() || read_all_) return;
        forget_taken();
        read_more();
    }
}

bool TraceEvents::take(char wanted) {
    skip_blanks();
    if (at_ == window_.size() || window_[at_] != wanted) return false;
    ++at_;
    return true;
}

Result<std::optional<std::string_view>> TraceEvents::next() {
    constexpr std::optional<std::string_view> kNone;
    if (!opened_) {
        if (!take('[')) return error_here("is no trace: an array of events begins with '['");
        opened_ = true;
    } else if (!take(',')) {
        closed_ = take(']');
        skip_blanks();
        if (at_end() && !unread_) return kNone;
        return error_here("expected ',' or ']' behind an event, and nothing behind ']'");
    }
    skip_blanks();
    if (unread_) return *unread_;
    if (at_end()) return kNone;
    if (window_[at_] != '{') return error_here("expected an event, which begins with '{'");
    return event();
}

// Takes the object at `at_`, which may not be read to its end yet.
Result<std::optional<std::string_view>> TraceEvents::event() {
    mark_here();
    int deepest = 0;
    const auto rest = [this] { return std::string_view(window_).substr(at_); };
    std::size_t end = end_of_object(rest(), deepest);
    while (end == std::string::npos && rest().size() <= kLongestEvent) {
        forget_taken();
        if (!read_more()) break;
        end = end_of_object(rest(), deepest);
    }
    if (unread_) return *unread_;
    if (std::min(end, rest().size()) > kLongestEvent) {
        return error_here(fmt::format("this event is longer than {} MiB", kLongestEvent >> 20U));
    }
    if (deepest > kDeepest) {
        return error_here(
            fmt::format("this event has more than {} lists in one another", kDeepest));
    }
    if (end == std::string::npos) {
        // We write each event on one line, so only an event on the last line can be cut off.
        if (rest().find('\n') != std::string::npos) return error_here("this event has no end");
        at_ = window_.size();
        cut_off_ = true;
        return std::optional<std::string_view>();
    }
    const std::string_view text = rest().substr(0, end);
    at_ += end;
    return std::optional(text);
}

}  // namespace pshard
