// How text that others wrote is shown. On a terminal, control characters move the cursor, clear the
// screen or begin a line that looks like one of ours, and marks of the writing direction turn the
// rest around.
//
//   "a" ESC "[2J" LF "b"     a\x1b[2J\x0ab
//   U+202E "gnp.exe"         \u202egnp.exe
//   a byte that is no UTF-8  \xe9
//
// Letters of all scripts stay. Inside a text of JSON, whose own escapes have control characters
// below 32, what stands here for the others is the same text. Header only: the door links nothing.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace pshard {

namespace visible_parts {

struct CodePoint {
    char32_t value = 0;
    std::size_t bytes = 0;  // of its UTF-8; 0: this is none
};

// The first code point of a text that is not empty. Source: Unicode 15, table 3-7.
inline CodePoint first_of(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(0);
    if (lead < 0x80) return {lead, 1};
    const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return {};
    char32_t value = lead & (0xffU >> (size + 1));
    for (std::size_t i = 1; i < size; ++i) {
        if ((byte(i) & 0xc0U) != 0x80) return {};
        value = (value << 6U) | (byte(i) & 0x3fU);
    }
    constexpr std::array<char32_t, 5> kLeast = {0, 0, 0x80, 0x800, 0x10000};
    const bool surrogate = value >= 0xd800 && value <= 0xdfff;
    if (value < kLeast[size] || value > 0x10ffff || surrogate) return {};
    return {value, size};
}

// Control characters, line and paragraph separators, marks of direction, and what has no width.
inline bool is_hidden(char32_t value) {
    constexpr std::array<std::pair<char32_t, char32_t>, 12> kHidden = {{{0, 0x1f},
                                                                        {0x7f, 0x9f},
                                                                        {0xad, 0xad},
                                                                        {0x61c, 0x61c},
                                                                        {0x180e, 0x180e},
                                                                        {0x200b, 0x200b},
                                                                        {0x200e, 0x200f},
                                                                        {0x2028, 0x202e},
                                                                        {0x2060, 0x206f},
                                                                        {0xfeff, 0xfeff},
                                                                        {0xfff9, 0xfffb},
                                                                        {0xe0000, 0xe0fff}}};
    return std::ranges::any_of(kHidden, [value](const std::pair<char32_t, char32_t>& range) {
        return value >= range.first && value <= range.second;
    });
}

inline void append_hex(std::string& out, char kind, unsigned value, int digits) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    out += '\\';
    out += kind;
    for (int i = digits - 1; i >= 0; --i) {
        out += kDigits[(value >> (4 * static_cast<unsigned>(i))) & 15U];
    }
}

inline void append_hidden(std::string& out, char32_t value) {
    constexpr char32_t kPlane = 0x10000;
    if (value < ' ') return append_hex(out, 'x', value, 2);
    if (value < kPlane) return append_hex(out, 'u', value, 4);
    append_hex(out, 'u', 0xd800 + ((value - kPlane) >> 10U), 4);  // a pair, as JSON has it
    append_hex(out, 'u', 0xdc00 + ((value - kPlane) & 0x3ffU), 4);
}

}  // namespace visible_parts

// One line. `kept`: control characters that stay.
inline std::string visible(std::string_view text, std::string_view kept = "") {
    std::string out;
    while (!text.empty()) {
        const visible_parts::CodePoint point = visible_parts::first_of(text);
        const std::size_t bytes = std::max<std::size_t>(point.bytes, 1);
        if (point.bytes == 0) {
            visible_parts::append_hex(out, 'x', static_cast<unsigned char>(text[0]), 2);
        } else if (visible_parts::is_hidden(point.value) &&
                   kept.find(text[0]) == std::string_view::npos) {
            visible_parts::append_hidden(out, point.value);
        } else {
            out += text.substr(0, bytes);
        }
        text.remove_prefix(bytes);
    }
    return out;
}

// A whole document of ours: its line feeds stay.
inline std::string visible_lines(std::string_view text) { return visible(text, "\n"); }

}  // namespace pshard
