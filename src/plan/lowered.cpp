#include "plan/lowered.h"

#include <utility>

#include "plan/graph_facts.h"

namespace pshard {

Lowered lower(const GraphView& view,
              Placement placement,
              const StageOptions& options,
              LowerUntil until) {
    return lower_by_facts(
        GraphFacts(view.inventory, view.graph), std::move(placement), options, until);
}

Lowered lower_by_facts(const GraphFacts& facts,
                       Placement placement,
                       const StageOptions& options,
                       LowerUntil until) {
    Lowered lowered;
    lowered.placement = std::move(placement);
    lowered.cut = cut_stages(facts, lowered.placement, options);
    for (int g = 0; g < lowered.cut.n_gpus; ++g) {
        lowered.slots.push_back(slot_sizes(facts.inventory(), lowered.cut.groups, g));
    }
    return lower_on({facts.inventory(), facts.graph()}, std::move(lowered), options, until);
}

Lowered lower_on(const GraphView& view,
                 Lowered lowered,
                 const StageOptions& options,
                 LowerUntil until) {
    if (until == LowerUntil::Slots) return lowered;
    if (Result<Schedule> schedule = make_schedule(lowered.cut)) {
        lowered.schedule = std::move(schedule).value();
    } else {
        lowered.streamable = schedule.error();
    }
    if (until == LowerUntil::Schedule) return lowered;
    lowered.scratch = layout_scratch(
        {view.inventory, view.graph, lowered.placement, lowered.cut, options.offload});
    return lowered;
}

}  // namespace pshard
