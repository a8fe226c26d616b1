// How the events of a trace are found one by one.
//
// In:   the text of an array of objects, which may end anywhere.
// Out:  the text of each object, and whether the array was closed or cut off.
//
//     [\n{"ph":"M", ...},\n{"ph":"X", "args":{...}},\n{"ph":"X", "ar
//        `-- event --'     `------- event -------'     `- cut off: counts as missing
//
// A JSON parser would refuse a text that a killed run left open. So the end of each object is found
// by counting braces, and the parser gets one object at a time.
//
// Trap: braces in quotation marks do not count, and a quotation mark behind a backslash ends none.
#include "trace/trace_events.h"

#include <algorithm>

namespace pshard {
namespace {

// The index behind the brace that closes the object at text[0]; npos if the object is cut off.
std::size_t end_of_object(std::string_view text) {
    int depth = 0;
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
        } else if (c == '}' && --depth == 0) {
            return i + 1;
        }
    }
    return std::string_view::npos;
}

}  // namespace

Place TraceEvents::place_of(const char* at) const {
    const std::string_view before = text_.substr(0, static_cast<std::size_t>(at - text_.data()));
    const std::size_t line_begin = before.rfind('\n') + 1;  // npos + 1 is 0
    return {file_,
            1 + static_cast<int>(std::count(before.begin(), before.end(), '\n')),
            1 + static_cast<int>(before.size() - line_begin)};
}

Error TraceEvents::error_here(std::string message) const {
    return {std::move(message), place_of(text_.data() + at_)};
}

void TraceEvents::skip_blanks() {
    at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size());
}

bool TraceEvents::take(char wanted) {
    skip_blanks();
    if (at_ == text_.size() || text_[at_] != wanted) return false;
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
        if (at_ == text_.size()) return kNone;
        return error_here("expected ',' or ']' behind an event, and nothing behind ']'");
    }
    skip_blanks();
    if (at_ == text_.size()) return kNone;
    if (text_[at_] != '{') return error_here("expected an event, which begins with '{'");
    const std::string_view rest = text_.substr(at_);
    const std::size_t end = end_of_object(rest);
    if (end == std::string_view::npos) {
        // We write each event on one line, so only an event on the last line can be cut off.
        if (rest.find('\n') != std::string_view::npos) return error_here("this event has no end");
        at_ = text_.size();
        cut_off_ = true;
        return kNone;
    }
    at_ += end;
    return std::optional(rest.substr(0, end));
}

}  // namespace pshard
