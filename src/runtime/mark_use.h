// Which marks of a program's steps anybody waits for: the others cost a call of the driver each,
// and are not issued.
#pragma once

#include <vector>

#include "plan/schedule.h"

namespace pshard {

struct StageWork;

// What the executor may leave out of a step.
struct MarkUse {
    bool awaited = true;   // of a step: some lane is held until its mark
    bool covered = false;  // of a Wait: the stage behind it waits for all of the GPU by itself
    bool brought = true;   // of a stage: the CPU must wait until the GPU has read what it brings

    bool operator==(const MarkUse&) const = default;
};

// By step of the schedule.
std::vector<MarkUse> mark_use(const Schedule& schedule, const std::vector<StageWork>& stages);

}  // namespace pshard
