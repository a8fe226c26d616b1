// Errors as values. A function that can fail for a reason outside the program (a file, a flag, a
// model) returns Result<T>; PSHARD_CHECK is for our own bugs only.
//
// The message of an Error is one clear sentence: what went wrong, where, and what to do about it.
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace pshard {

// The place of an error. `line` and `column` count from 1; 0 means "not in a text file".
struct Place {
    std::string file;
    int line = 0;
    int column = 0;

    bool operator==(const Place&) const = default;
};

struct Error {
    std::string message;
    Place place;

    // "FILE:LINE:COLUMN: MESSAGE", leaving out what is not known.
    [[nodiscard]] std::string text() const;

    bool operator==(const Error&) const = default;
};

template <typename T>
class [[nodiscard]] Result {
public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}

    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    [[nodiscard]] bool ok() const { return state_.index() == 0; }

    explicit operator bool() const { return ok(); }

    // The value. To be called only after ok() was true.
    [[nodiscard]] T& value() & { return std::get<0>(state_); }

    [[nodiscard]] const T& value() const& { return std::get<0>(state_); }

    [[nodiscard]] T value() && { return std::get<0>(std::move(state_)); }

    // The error. To be called only after ok() was false.
    [[nodiscard]] const Error& error() const { return std::get<1>(state_); }

private:
    std::variant<T, Error> state_;
};

// A Result without a value.
struct Done {
    bool operator==(const Done&) const = default;
};

using Status = Result<Done>;

// Ends the program with a message that names the broken assumption, which is a bug of ours and
// never bad input.
[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace pshard

#define PSHARD_CHECK(condition) \
    ((condition) ? static_cast<void>(0) : ::pshard::check_failed(#condition, __FILE__, __LINE__))
