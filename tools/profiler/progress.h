// How far the measuring is, on stderr: a bar with the time left on a terminal, else a line every
// few seconds.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/units.h"

namespace pshard::tool {

class Progress {
public:
    explicit Progress(std::optional<Seconds> time_limit);
    ~Progress();  // clears the bar
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    // The next steps make up [begin, end) of the whole.
    void begin_part(double begin, double end);

    // `share` of the part is done, `what` comes next.
    void show(const std::string& what, double share);

    [[nodiscard]] Seconds elapsed() const;

private:
    std::optional<Seconds> time_limit_;
    std::chrono::steady_clock::time_point start_;
    Seconds last_shown_ = -1e9;
    double begin_ = 0;
    double end_ = 1;
    bool terminal_;
};

// "[#####.....]  52 %, 31 s left: MUL_MAT q4_0"; without a time where it is not known yet.
std::string progress_line(double share, std::optional<Seconds> left, const std::string& what);

}  // namespace pshard::tool
