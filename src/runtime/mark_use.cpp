// Leaves out what is waited for anyway. A stage of the CPU that reads a value of the GPU's
// downloads it behind all that the GPU was told, and waits for that:
//
//   GPU    [Compute 0]................[bring, Compute 2]............
//   CPU               [fetch][Compute 1]                [fetch][Compute 3]
//                         ^                                 ^
//          stage 0 is done: no mark, no Wait      stage 2 has read what it brought: no mark
//
// So of a stage of the GPU the mark counts only if another lane waits for it, or a stage of the CPU
// that fetches nothing. What a stage has brought counts as read once a fetch comes behind it; the
// last in a pass has none behind it: what the next pass begins with is not known.
#include "runtime/mark_use.h"

#include <algorithm>
#include <cstddef>

#include "runtime/program.h"

namespace pshard {
namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

const StageWork* stage_of(const Step& step, const std::vector<StageWork>& stages) {
    const auto* compute = std::get_if<Compute>(&step.what);
    return compute == nullptr ? nullptr : &stages[at(compute->stage)];
}

bool fetches(const StageWork& stage) {
    return stage.device == Device::Cpu &&
           std::any_of(stage.brings.begin(), stage.brings.end(), [](const Bring& value) {
               return !value.to_device;
           });
}

// The first stage of the CPU behind a step; nullptr: there is none in this pass.
const StageWork* next_on_cpu(const Schedule& schedule,
                             const std::vector<StageWork>& stages,
                             std::size_t step) {
    for (++step; step < schedule.steps.size(); ++step) {
        const StageWork* stage = stage_of(schedule.steps[step], stages);
        if (stage != nullptr && stage->device == Device::Cpu) return stage;
    }
    return nullptr;
}

}  // namespace

std::vector<MarkUse> mark_use(const Schedule& schedule, const std::vector<StageWork>& stages) {
    const std::vector<Step>& steps = schedule.steps;
    std::vector<MarkUse> uses(steps.size(), MarkUse{.awaited = false});
    for (std::size_t i = 0; i < steps.size(); ++i) {
        const Wait* wait = wait_of(steps[i]);
        if (wait == nullptr && stage_of(steps[i], stages) == nullptr) continue;
        const StageWork* next = next_on_cpu(schedule, stages, i);
        const bool fetched = next != nullptr && fetches(*next);
        uses[i].brought = !fetched;
        if (wait == nullptr) continue;
        uses[i].covered = fetched && steps[i].lane == ScheduleLane::Cpu && !wait->of_last_pass &&
                          steps[at(wait->step)].lane == ScheduleLane::Gpu;
        if (!uses[i].covered) uses[at(wait->step)].awaited = true;
    }
    return uses;
}

}  // namespace pshard
