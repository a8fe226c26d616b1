#include "inventory/inventory_fields.h"

#include <algorithm>
#include <charconv>

namespace pshard {
namespace {

// One letter for each Ref::Kind, in the order of the enumerators.
constexpr std::string_view kRefLetters = "nwsi";

bool is_plain(std::string_view text) {
    const auto plain = [](char c) { return c > ' ' && c < 127 && c != '"' && c != '\\'; };
    return !text.empty() && text[0] != '=' && std::all_of(text.begin(), text.end(), plain);
}

// The byte that the two digits behind "\x" stand for; nullopt if they are no hex digits.
std::optional<char> hex_byte(std::string_view digits) {
    unsigned char byte = 0;
    if (digits.size() < 2) return std::nullopt;
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + 2, byte, 16);
    if (error != std::errc{} || stop != digits.data() + 2) return std::nullopt;
    return static_cast<char>(byte);
}

// The text between quotation marks; nullopt if the word is not well formed.
std::optional<std::string> unquoted(std::string_view word) {
    if (word.size() < 2 || word.front() != '"' || word.back() != '"') return std::nullopt;
    word = word.substr(1, word.size() - 2);
    std::string text;
    for (std::size_t i = 0; i < word.size(); ++i) {
        if (word[i] == '"') return std::nullopt;
        if (word[i] != '\\') {
            text += word[i];
            continue;
        }
        if (++i == word.size()) return std::nullopt;
        const bool is_hex = word[i] == 'x';
        const auto byte = is_hex ? hex_byte(word.substr(i + 1)) : word[i];
        if (!byte) return std::nullopt;
        text += *byte;
        i += is_hex ? 2 : 0;
    }
    return text;
}

void write_ref(std::string& out, const Ref& ref) {
    out += kRefLetters[static_cast<std::size_t>(ref.kind)];
    Whole<int>::write(out, ref.index);
}

std::optional<Ref> ref_of(std::string_view text) {
    const std::size_t kind = text.empty() ? std::string_view::npos : kRefLetters.find(text[0]);
    if (kind == std::string_view::npos) return std::nullopt;
    const auto index = number_of<int>(text.substr(1));
    if (!index || *index < 0) return std::nullopt;
    return Ref{static_cast<Ref::Kind>(kind), *index};
}

}  // namespace

void Quotable::write(std::string& out, const std::string& text) {
    if (is_plain(text)) {
        out += text;
        return;
    }
    out += '"';
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') out += '\\';
        if (byte < ' ' || byte == 127) {
            fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
        } else {
            out += c;
        }
    }
    out += '"';
}

bool Quotable::read(std::string_view word, std::string& text) {
    if (is_plain(word)) {
        text = word;
        return true;
    }
    auto content = unquoted(word);
    if (content) text = std::move(*content);
    return content.has_value();
}

void Sizes::write(std::string& out, const Shape& shape) {
    std::size_t n_dims = shape.size();
    while (n_dims > 1 && shape[n_dims - 1] == 1) --n_dims;
    for (std::size_t i = 0; i < n_dims; ++i) {
        if (i > 0) out += 'x';
        Whole<std::int64_t>::write(out, shape[i]);
    }
}

bool Sizes::read(std::string_view word, Shape& shape) {
    Shape read = {1, 1, 1, 1};
    for (std::int64_t& size : read) {
        const std::size_t cross = word.find('x');
        if (!Whole<std::int64_t, 0>::read(word.substr(0, cross), size)) return false;
        if (cross == std::string_view::npos) {
            shape = read;
            return true;
        }
        word.remove_prefix(cross + 1);
    }
    return false;
}

void Refs::write(std::string& out, const std::vector<Ref>& refs) {
    if (refs.empty()) out += '-';
    for (std::size_t i = 0; i < refs.size(); ++i) {
        if (i > 0) out += ',';
        write_ref(out, refs[i]);
    }
}

bool Refs::read(std::string_view word, std::vector<Ref>& refs) {
    refs.clear();
    while (word != "-") {
        const std::size_t comma = word.find(',');
        const auto ref = ref_of(word.substr(0, comma));
        if (!ref) return false;
        refs.push_back(*ref);
        if (comma == std::string_view::npos) break;
        word.remove_prefix(comma + 1);
    }
    return true;
}

void Storage::write(std::string& out, const std::optional<Ref>& ref) {
    if (!ref) {
        out += '-';
        return;
    }
    write_ref(out, *ref);
}

bool Storage::read(std::string_view word, std::optional<Ref>& ref) {
    ref = word == "-" ? std::nullopt : ref_of(word);
    return ref || word == "-";
}

}  // namespace pshard
