#include "inventory/text_values.h"

#include <fmt/compile.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <concepts>
#include <iterator>
#include <limits>
#include <span>
#include <utility>

namespace pshard::text {
namespace {

// ---- the words of enums ----

template <typename E>
using Words = std::span<const std::pair<std::string_view, E>>;

template <typename E>
Words<E> words();

template <>
Words<FlashAttention> words() {
    static constexpr std::pair<std::string_view, FlashAttention> kWords[] = {
        {"off", FlashAttention::Off}, {"on", FlashAttention::On}, {"auto", FlashAttention::Auto}};
    return kWords;
}

template <>
Words<OutputUse> words() {
    static constexpr std::pair<std::string_view, OutputUse> kWords[] = {
        {"server", OutputUse::Server},
        {"cli", OutputUse::Cli},
        {"perplexity", OutputUse::Perplexity},
        {"bench", OutputUse::Bench}};
    return kWords;
}

template <>
Words<Side> words() {
    static constexpr std::pair<std::string_view, Side> kWords[] = {{"input", Side::Input},
                                                                   {"attention", Side::Attention},
                                                                   {"ffn", Side::Ffn},
                                                                   {"output", Side::Output}};
    return kWords;
}

template <>
Words<StateKind> words() {
    static constexpr std::pair<std::string_view, StateKind> kWords[] = {
        {"kv", StateKind::Kv}, {"recurrent", StateKind::Recurrent}};
    return kWords;
}

// The letters of Ref::Kind, in its order.
constexpr std::string_view kRefLetters = "nwsi";

// Plain words stand as they are, all else in quotes.
bool is_plain(std::string_view text) {
    const auto plain = [](char c) { return c > ' ' && c < 127 && c != '"' && c != '\\'; };
    return !text.empty() && text[0] != '=' && std::all_of(text.begin(), text.end(), plain);
}

using Out = std::back_insert_iterator<std::string>;

void put_number(std::string& out, std::integral auto value) {
    fmt::format_to(Out(out), FMT_COMPILE("{}"), value);
}

template <typename E>
void put_word(std::string& out, E value) {
    for (const auto& [word, named] : words<E>()) {
        if (named == value) out += word;
    }
}

void put_ref(std::string& out, const Ref& ref) {
    out += kRefLetters[static_cast<std::size_t>(ref.kind)];
    put_number(out, ref.index);
}

template <std::integral T>
std::optional<T> number_of(std::string_view text, int base = 10) {
    T value{};
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value, base);
    if (error != std::errc{} || stop != end) return std::nullopt;
    return value;
}

template <std::integral T>
void get_number(Cursor& in, T& value) {
    if (const auto number = number_of<T>(in.field())) {
        value = *number;
    } else {
        in.expected(fmt::format("a whole number from {} to {}",
                                std::numeric_limits<T>::min(),
                                std::numeric_limits<T>::max()));
    }
}

template <typename E>
void get_word(Cursor& in, E& value) {
    const std::string_view field = in.field();
    std::string known;
    for (const auto& [word, named] : words<E>()) {
        if (word == field) {
            value = named;
            return;
        }
        known += known.empty() ? "" : ", ";
        known += word;
    }
    in.expected("one of " + known);
}

// The text between quotes; nothing if it is not well formed.
std::optional<std::string> unquoted(std::string_view field) {
    if (field.size() < 2 || field.front() != '"' || field.back() != '"') return std::nullopt;
    field = field.substr(1, field.size() - 2);
    std::string text;
    for (std::size_t i = 0; i < field.size(); ++i) {
        if (field[i] == '"') return std::nullopt;
        if (field[i] != '\\') {
            text += field[i];
            continue;
        }
        const std::string_view escape = field.substr(i + 1);
        if (escape.empty()) return std::nullopt;
        const bool hex = escape[0] == 'x';
        const auto byte = number_of<unsigned char>(hex ? escape.substr(1, 2) : "0", 16);
        if (!byte || (hex && escape.size() < 3)) return std::nullopt;
        text += hex ? static_cast<char>(*byte) : escape[0];
        i += hex ? 3 : 1;
    }
    return text;
}

std::optional<Ref> ref_of(std::string_view text) {
    const std::size_t kind = text.empty() ? std::string_view::npos : kRefLetters.find(text[0]);
    if (kind == std::string_view::npos) return std::nullopt;
    const auto index = number_of<int>(text.substr(1));
    if (!index || *index < 0) return std::nullopt;
    return Ref{static_cast<Ref::Kind>(kind), *index};
}

}  // namespace

// ---- Cursor ----

void Cursor::fail(std::string message) {
    if (error_) return;
    const std::string_view before = text_.substr(0, field_);
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const std::size_t line_begin = before.rfind('\n') + 1;  // npos + 1 is 0
    error_ = Error{
        std::move(message),
        {std::string(file_), static_cast<int>(line), static_cast<int>(field_ - line_begin) + 1}};
    at_ = field_ = text_.size();
}

void Cursor::expected(std::string_view what) {
    std::string_view found = text_.substr(field_, 40);
    found = found.substr(0, found.find_first_of(" \n"));
    if (field_ == text_.size()) return fail(fmt::format("expected {}, found the end", what));
    if (found.empty()) return fail(fmt::format("expected {}, found the end of the line", what));
    fail(fmt::format("expected {}, found '{}'", what, found));
}

std::string_view Cursor::field() {
    if (at_ < text_.size() && text_[at_] == ' ') ++at_;
    field_ = at_;
    if (at_ < text_.size() && text_[at_] == '"') {
        skip_quoted();
    } else {
        at_ = std::min(text_.find_first_of(" \n", at_), text_.size());
    }
    return text_.substr(field_, at_ - field_);
}

bool Cursor::next_begins_with(char c) const {
    const std::size_t next = at_ < text_.size() && text_[at_] == ' ' ? at_ + 1 : at_;
    return next < text_.size() && text_[next] == c;
}

void Cursor::word(std::string_view wanted) {
    if (field() != wanted) expected(fmt::format("'{}'", wanted));
}

void Cursor::end_of_line() {
    if (at_ < text_.size() && text_[at_] == '\n') {
        ++at_;
        return;
    }
    field_ = at_;
    expected("the end of the line");
}

void Cursor::skip_quoted() {
    for (++at_; at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\n'; ++at_) {
        if (text_[at_] == '\\') ++at_;
    }
    at_ = std::min(at_ + 1, text_.size());
}

// ---- put ----

void put(std::string& out, const std::string& text) {
    if (is_plain(text)) {
        out += text;
        return;
    }
    out += '"';
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') out += '\\';
        if (byte < ' ' || byte == 127) {
            fmt::format_to(Out(out), "\\x{:02x}", byte);
        } else {
            out += c;
        }
    }
    out += '"';
}

void put(std::string& out, bool value) { out += value ? '1' : '0'; }

void put(std::string& out, int value) { put_number(out, value); }

void put(std::string& out, std::int64_t value) { put_number(out, value); }

void put(std::string& out, std::uint32_t value) { put_number(out, value); }

void put(std::string& out, std::uint64_t value) { put_number(out, value); }

void put(std::string& out, FlashAttention value) { put_word(out, value); }

void put(std::string& out, OutputUse value) { put_word(out, value); }

void put(std::string& out, Side value) { put_word(out, value); }

void put(std::string& out, StateKind value) { put_word(out, value); }

void put(std::string& out, Hash64 hash) { out += to_text(hash); }

void put(std::string& out, const Shape& shape) {
    std::size_t n_dims = shape.size();
    while (n_dims > 1 && shape[n_dims - 1] == 1) --n_dims;
    for (std::size_t i = 0; i < n_dims; ++i) {
        if (i > 0) out += 'x';
        put_number(out, shape[i]);
    }
}

void put(std::string& out, const std::optional<Ref>& ref) {
    if (!ref) {
        out += '-';
        return;
    }
    put_ref(out, *ref);
}

void put(std::string& out, const std::vector<Ref>& refs) {
    if (refs.empty()) out += '-';
    for (std::size_t i = 0; i < refs.size(); ++i) {
        if (i > 0) out += ',';
        put_ref(out, refs[i]);
    }
}

// ---- get ----

void get(Cursor& in, std::string& text) {
    const std::string_view field = in.field();
    if (is_plain(field)) {
        text = field;
    } else if (auto content = unquoted(field)) {
        text = std::move(*content);
    } else {
        in.expected("a word or a text in quotes");
    }
}

void get(Cursor& in, bool& value) {
    const std::string_view field = in.field();
    if (field != "0" && field != "1") in.expected("0 or 1");
    value = field == "1";
}

void get(Cursor& in, int& value) { get_number(in, value); }

void get(Cursor& in, std::int64_t& value) { get_number(in, value); }

void get(Cursor& in, std::uint32_t& value) { get_number(in, value); }

void get(Cursor& in, std::uint64_t& value) { get_number(in, value); }

void get(Cursor& in, FlashAttention& value) { get_word(in, value); }

void get(Cursor& in, OutputUse& value) { get_word(in, value); }

void get(Cursor& in, Side& value) { get_word(in, value); }

void get(Cursor& in, StateKind& value) { get_word(in, value); }

void get(Cursor& in, Hash64& hash) {
    if (const auto value = hash_of(in.field())) {
        hash = *value;
    } else {
        in.expected("a hash: 0x and 16 hex digits");
    }
}

void get(Cursor& in, Shape& shape) {
    std::string_view field = in.field();
    shape = {1, 1, 1, 1};
    for (std::int64_t& size : shape) {
        const std::size_t cross = field.find('x');
        const auto number = number_of<std::int64_t>(field.substr(0, cross));
        if (!number || *number < 0) break;
        size = *number;
        if (cross == std::string_view::npos) return;
        field.remove_prefix(cross + 1);
    }
    in.expected("a shape such as 4096x512, of 1 to 4 sizes");
}

void get(Cursor& in, std::optional<Ref>& ref) {
    const std::string_view field = in.field();
    ref = field == "-" ? std::nullopt : ref_of(field);
    if (!ref && field != "-") in.expected("a storage such as n12 or s0, or -");
}

void get(Cursor& in, std::vector<Ref>& refs) {
    std::string_view field = in.field();
    refs.clear();
    while (field != "-") {
        const std::size_t comma = field.find(',');
        const auto ref = ref_of(field.substr(0, comma));
        if (!ref) return in.expected("sources such as n12,w3,s0,i1, or -");
        refs.push_back(*ref);
        if (comma == std::string_view::npos) return;
        field.remove_prefix(comma + 1);
    }
}

}  // namespace pshard::text
