// How single values stand in the text form of an inventory (docs/formats/inventory.md): `put`
// appends one to a text, `get` reads one from a Cursor. Only inventory_text.cpp and
// inventory_fields.h use it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fingerprint.h"
#include "base/result.h"
#include "inventory/inventory.h"

namespace pshard::text {

// A place in a text of lines of fields, which are parted by single spaces. It remembers the first
// fault, with its line and column, and reads nothing but empty fields after it.
class Cursor {
public:
    Cursor(std::string_view text, std::string_view file) : text_(text), file_(file) {}

    [[nodiscard]] bool failed() const { return error_.has_value(); }

    [[nodiscard]] const Error& error() const { return *error_; }

    [[nodiscard]] bool at_end() const { return at_ == text_.size(); }

    [[nodiscard]] std::size_t bytes_left() const { return text_.size() - at_; }

    // Fault at the field read last.
    void fail(std::string message);
    void expected(std::string_view what);  // "expected WHAT, found FIELD"

    // The next field of the line, quotes and all; empty at the line's end.
    std::string_view field();

    // Whether the next field begins with `c`.
    [[nodiscard]] bool next_begins_with(char c) const;

    // The next field must be `wanted`.
    void word(std::string_view wanted);

    void end_of_line();

private:
    void skip_quoted();

    std::string_view text_;
    std::string_view file_;
    std::size_t at_ = 0;
    std::size_t field_ = 0;  // where the field read last begins
    std::optional<Error> error_;
};

void put(std::string& out, const std::string& text);
void put(std::string& out, bool value);
void put(std::string& out, int value);
void put(std::string& out, std::int64_t value);
void put(std::string& out, std::uint32_t value);
void put(std::string& out, std::uint64_t value);
void put(std::string& out, FlashAttention value);
void put(std::string& out, OutputUse value);
void put(std::string& out, Side value);
void put(std::string& out, StateKind value);
void put(std::string& out, Hash64 hash);
void put(std::string& out, const Shape& shape);
void put(std::string& out, const std::optional<Ref>& ref);
void put(std::string& out, const std::vector<Ref>& refs);

void get(Cursor& in, std::string& text);
void get(Cursor& in, bool& value);
void get(Cursor& in, int& value);
void get(Cursor& in, std::int64_t& value);
void get(Cursor& in, std::uint32_t& value);
void get(Cursor& in, std::uint64_t& value);
void get(Cursor& in, FlashAttention& value);
void get(Cursor& in, OutputUse& value);
void get(Cursor& in, Side& value);
void get(Cursor& in, StateKind& value);
void get(Cursor& in, Hash64& hash);
void get(Cursor& in, Shape& shape);
void get(Cursor& in, std::optional<Ref>& ref);
void get(Cursor& in, std::vector<Ref>& refs);

}  // namespace pshard::text
