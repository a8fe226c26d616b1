// DYNAMIC_FFNCPU_ATTNSTREAM: pinned layers are whole on the GPU. The attention of the others is
// streamed with its KV, and the CPU computes their FFN from host memory.
#include "strategy/pin_counts.h"
#include "strategy/rules.h"

namespace pshard {
namespace {

LayerSplit lanes(const PlanChoice& choice, const LayerPlace& at) {
    return pinned_lanes(choice, pin_rank(choice, at), shard_of(at.layer))
        .value_or(LayerSplit{Lane::ShardA, Lane::Cpu, &kFfnPart});
}

std::vector<PlanChoice> propose(const Inventory& inventory, const Sizing& sizing) {
    return propose_pin_counts(Strategy::DynamicFfnCpuAttnStream, inventory, sizing);
}

}  // namespace

extern const StrategyRule kFfnCpu;
const StrategyRule kFfnCpu{.name = "DYNAMIC_FFNCPU_ATTNSTREAM",
                           .id = Strategy::DynamicFfnCpuAttnStream,
                           .is_published = true,
                           .is_static = false,
                           .slices = false,
                           .lanes = lanes,
                           .propose = propose};

}  // namespace pshard
