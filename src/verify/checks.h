// The parts of verify, one file each. Private to src/verify.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "verify/verify.h"

namespace pshard {

using Violations = std::vector<std::string>;

template <typename... Args>
void complain(Violations& violations, fmt::format_string<Args...> format, Args&&... args) {
    violations.push_back(fmt::format(format, std::forward<Args>(args)...));
}

// Checks sizes and indices; the other checks may run only if this one added nothing.
void check_form(const PlanUnderTest& plan, Violations& violations);

// What a placement keeps on a GPU, in that GPU's arena.
struct ResidentsUnderTest {
    const Inventory& inventory;
    const Placement& placement;
    ArenaUnderTest place;
    int gpu = 0;
};

void check_residents(const ResidentsUnderTest& residents, Violations& violations);
void check_slots(const PlanUnderTest& plan, Violations& violations);
void check_cut(const PlanUnderTest& plan, Violations& violations);
void check_scratch(const PlanUnderTest& plan, Violations& violations);
void check_fused(const PlanUnderTest& plan, Violations& violations);
void check_schedule(const PlanUnderTest& plan, Violations& violations);

// How violations name things.
std::string device_text(Device device);                     // "GPU", "GPU 1", "CPU"
std::string group_text(const StageCut& cut, int group);     // "group 2 (layer 5)"
std::string step_text(const Schedule& schedule, int step);  // "step 7 (Load of group 2)"

// Where a streamed group lies in the arena: [begin, end).
struct Extent {
    Bytes begin = 0;
    Bytes end = 0;

    bool overlaps(const Extent& other) const { return begin < other.end && other.begin < end; }
};

Extent extent_of(Bytes begin, Bytes bytes);  // ends at the highest address rather than wrap
Extent group_extent(const PlanUnderTest& plan, int group);

}  // namespace pshard
