// Finds the events in the array of a trace file, one after the other. Internal to trace/.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pshard {

// The name and version of the format, which stand in the first event, and the numbers by which
// events name their process and thread.
inline constexpr std::string_view kTraceFormat = "pshard-trace";
inline constexpr int kTraceVersion = 1;
inline constexpr int kTraceProcess = 1;
inline constexpr int kPassThread = 0;  // the lanes of a schedule follow, in their own order

// Walks through `[{...},{...},`, whether the array was closed or not.
class TraceEvents {
public:
    // `text` must outlive this object and its events.
    TraceEvents(std::string_view text, std::string file) : text_(text), file_(std::move(file)) {}

    // The text of the next event; nullopt behind the last. Fails on what is no array of objects. An
    // object that the end of the file cuts off counts as missing.
    Result<std::optional<std::string_view>> next();

    // Whether the closing bracket was read.
    [[nodiscard]] bool closed() const { return closed_; }

    // Whether the end of the text cut an object off.
    [[nodiscard]] bool cut_off() const { return cut_off_; }

    [[nodiscard]] const std::string& file() const { return file_; }

    // The place of a byte of the text; `at` points into it.
    [[nodiscard]] Place place_of(const char* at) const;

private:
    [[nodiscard]] Error error_here(std::string message) const;
    void skip_blanks();
    bool take(char wanted);

    std::string_view text_;
    std::string file_;
    std::size_t at_ = 0;
    bool opened_ = false;
    bool closed_ = false;
    bool cut_off_ = false;
};

}  // namespace pshard
