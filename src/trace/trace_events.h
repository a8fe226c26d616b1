// Finds the events in the array of a trace file, one after the other. Internal to trace/.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "trace/trace.h"

namespace pshard {

// The name and version of the format, which stand in the first event, and the numbers by which
// events name their process and thread.
inline constexpr std::string_view kTraceFormat = "pshard-trace";
inline constexpr int kTraceVersion = 1;
inline constexpr int kTraceProcess = 1;
inline constexpr int kPassThread = 0;  // the lanes of a schedule follow, in their own order

// Walks through `[{...},{...},`, whether the array was closed or not. It holds no more of the text
// than the event that it stands at.
class TraceEvents {
public:
    TraceEvents(TracePieces pieces, std::string file)
        : pieces_(std::move(pieces)), file_(std::move(file)) {}

    // The text of the next event, until next() is called again; nullopt behind the last. Fails on
    // what is no array of objects, and on an event of more than 4 MiB or too deep. An object that
    // the end of the file cuts off counts as missing.
    Result<std::optional<std::string_view>> next();

    // Whether the closing bracket was read.
    [[nodiscard]] bool closed() const { return closed_; }

    // Whether the end of the text cut an object off.
    [[nodiscard]] bool cut_off() const { return cut_off_; }

    [[nodiscard]] const std::string& file() const { return file_; }

    // The place of a byte of the last event; `at` points into it.
    [[nodiscard]] Place place_of(const char* at) const;

private:
    [[nodiscard]] Error error_here(std::string message) const;

    [[nodiscard]] bool at_end() const { return at_ == window_.size() && read_all_; }

    void mark_here();
    void forget_taken();
    bool read_more();
    void skip_blanks();
    bool take(char wanted);
    Result<std::optional<std::string_view>> event();

    TracePieces pieces_;
    std::string file_;
    std::string window_;    // what was read and may be needed
    std::size_t at_ = 0;    // of window_: what is next
    std::size_t mark_ = 0;  // of window_: places are counted from here
    Place marked_{{}, 1, 1};
    std::optional<Error> unread_{};
    bool read_all_ = false;
    bool opened_ = false;
    bool closed_ = false;
    bool cut_off_ = false;
};

}  // namespace pshard
