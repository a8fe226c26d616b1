// The array of a trace file, event by event. Internal to trace/.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pshard {

// What the file is called in its first event, and which form it has.
inline constexpr std::string_view kTraceFormat = "pshard-trace";
inline constexpr int kTraceVersion = 1;
inline constexpr int kTraceProcess = 1;
inline constexpr int kPassThread = 0;  // the lanes follow in the order of ScheduleLane

// Finds the events of `[{...},{...},` one after the other, whether the array was closed or not.
class TraceEvents {
public:
    // `text` must outlive the events.
    TraceEvents(std::string_view text, std::string file) : text_(text), file_(std::move(file)) {}

    // The text of the next event, nullopt behind the last. Fails on what is no array of objects; an
    // object that the end of the file cuts off counts as not there.
    Result<std::optional<std::string_view>> next();

    // Whether the closing bracket was seen.
    [[nodiscard]] bool closed() const { return closed_; }

    // Whether the end of the text cut an object off.
    [[nodiscard]] bool cut_off() const { return cut_off_; }

    [[nodiscard]] const std::string& file() const { return file_; }

    // The place of a byte of the text that was given.
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
