// When each step of a schedule ran: predicted by the simulator, measured by the runtime. One type
// for both, so that they can be drawn, compared and used to calibrate.
#pragma once

#include <string>
#include <vector>

#include "plan/schedule.h"

namespace pshard {

struct Interval {
    int step = 0;       // into Schedule::steps; Waits have no interval
    Seconds begin = 0;  // from the start of the timeline
    Seconds end = 0;

    bool operator==(const Interval&) const = default;
};

struct Timeline {
    std::vector<Interval> intervals;  // ascending end
    Seconds end = 0;

    bool operator==(const Timeline&) const = default;
};

// Seconds that the lane worked.
Seconds busy_seconds(const Timeline& timeline, const Schedule& schedule, ScheduleLane lane);

// The lanes drawn over time, `columns` wide: '#' compute, '=' upload, '-' download, ' ' idle.
std::string draw(const Timeline& timeline, const Schedule& schedule, int columns);

std::string lane_name(ScheduleLane lane);  // "GPU", "upload", "download", "CPU"; then "GPU 1", ...

}  // namespace pshard
