// GPUONLY_ATTNPIN_FFNSTREAM: the attention of all layers is on the GPU with its KV. Pinned layers
// are whole there; the FFNs of the others are streamed.
#include "strategy/pin_counts.h"
#include "strategy/rules.h"

namespace pshard {
namespace {

LayerSplit lanes(const PlanChoice& choice, const LayerPlace& at) {
    return pinned_lanes(choice, pin_rank(choice, at), shard_of(at.layer))
        .value_or(LayerSplit{Lane::Gpu, Lane::ShardA, &kFfnPart});
}

std::vector<PlanChoice> propose(const Inventory& inventory, const Sizing& sizing) {
    return propose_pin_counts(Strategy::GpuOnlyAttnPinFfnStream, inventory, sizing);
}

}  // namespace

extern const StrategyRule kFfnStream;
const StrategyRule kFfnStream{.name = "GPUONLY_ATTNPIN_FFNSTREAM",
                              .id = Strategy::GpuOnlyAttnPinFfnStream,
                              .is_published = true,
                              .is_static = false,
                              .slices = true,
                              .lanes = lanes,
                              .propose = propose};

}  // namespace pshard
