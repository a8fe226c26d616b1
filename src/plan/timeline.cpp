#include "plan/timeline.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace pshard {
namespace {

constexpr std::array<std::string_view, 4> kLaneNames = {"GPU", "upload", "download", "CPU"};
constexpr std::array<char, 4> kMarks = {'#', '=', '-', '#'};

const Step& step_of(const Schedule& schedule, const Interval& interval) {
    return schedule.steps[static_cast<std::size_t>(interval.step)];
}

std::string draw_lane(const Timeline& timeline,
                      const Schedule& schedule,
                      ScheduleLane lane,
                      int columns) {
    std::string row(static_cast<std::size_t>(columns), ' ');
    for (const Interval& interval : timeline.intervals) {
        if (step_of(schedule, interval).lane != lane) continue;
        const double scale = columns / timeline.end;
        const int begin = std::min(columns - 1, static_cast<int>(interval.begin * scale));
        const int end = std::clamp(static_cast<int>(interval.end * scale), begin + 1, columns);
        std::fill(
            row.begin() + begin, row.begin() + end, kMarks[static_cast<std::size_t>(lane.kind)]);
    }
    return row;
}

}  // namespace

std::string lane_name(ScheduleLane lane) {
    const std::string_view name = kLaneNames[static_cast<std::size_t>(lane.kind)];
    return lane.gpu == 0 ? std::string(name) : fmt::format("{} {}", name, lane.gpu);
}

Seconds busy_seconds(const Timeline& timeline, const Schedule& schedule, ScheduleLane lane) {
    Seconds busy = 0;
    for (const Interval& interval : timeline.intervals) {
        if (step_of(schedule, interval).lane == lane) busy += interval.end - interval.begin;
    }
    return busy;
}

std::string draw(const Timeline& timeline, const Schedule& schedule, int columns) {
    std::string text;
    if (timeline.end <= 0) return text;
    const int n_gpus = count_gpus(schedule);
    for (std::size_t i = 0; i < schedule_lanes(n_gpus); ++i) {
        const ScheduleLane lane = ScheduleLane::at(i, n_gpus);
        const Seconds busy = busy_seconds(timeline, schedule, lane);
        if (busy <= 0) continue;
        text += fmt::format("{:>8} |{}| {:3.0f} %\n",
                            lane_name(lane),
                            draw_lane(timeline, schedule, lane, columns),
                            100 * busy / timeline.end);
    }
    return text;
}

}  // namespace pshard
