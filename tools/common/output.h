// What a program says at its end.
#pragma once

#include <functional>
#include <string>

namespace pshard::tool {

inline constexpr int kFailed = 1;  // exit code: bad input

// What a command line comes to instead of work.
struct EarlyExit {
    int code = 0;
    std::string text;  // help for stdout (code 0), or one sentence for stderr (kFailed)
};

// Says it; returns its code.
int end_early(const EarlyExit& early);

// Prints one sentence on stderr; returns kFailed.
int fail(const std::string& reason);

// Prints `text` on stdout, with what is no text of it made visible (base/visible.h); returns
// `exit_code`, or kFailed if it could not be written. `done`: what was done all the same.
int print(const std::string& text, int exit_code, const std::string& done = "");

// Returns what `work` returns. Where it throws, one sentence on stderr tells it.
int guarded(const std::function<int()>& work);

}  // namespace pshard::tool
