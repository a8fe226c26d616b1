#include "plan/lowered.h"

#include <utility>

namespace pshard {

Lowered lower(const GraphView& view,
              Placement placement,
              const StageOptions& options,
              LowerUntil until) {
    const auto& [inventory, graph] = view;
    Lowered lowered;
    lowered.placement = std::move(placement);
    lowered.cut = cut_stages(inventory, graph, lowered.placement, options);
    for (int g = 0; g < lowered.cut.n_gpus; ++g) {
        lowered.slots.push_back(slot_sizes(inventory, lowered.cut.groups, g));
    }
    return lower_on(view, std::move(lowered), options, until);
}

Lowered lower_on(const GraphView& view,
                 Lowered lowered,
                 const StageOptions& options,
                 LowerUntil until) {
    const auto& [inventory, graph] = view;
    if (until == LowerUntil::Slots) return lowered;
    if (Result<Schedule> schedule = make_schedule(lowered.cut)) {
        lowered.schedule = std::move(schedule).value();
    } else {
        lowered.streamable = schedule.error();
    }
    if (until == LowerUntil::Schedule) return lowered;
    lowered.scratch =
        layout_scratch({inventory, graph, lowered.placement, lowered.cut, options.offload});
    return lowered;
}

}  // namespace pshard
