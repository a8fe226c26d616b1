// GPUONLY_LAYERPIN_LAYERSTREAM: pinned layers are whole on the GPU; all others are streamed whole.
#include "strategy/pin_counts.h"
#include "strategy/rules.h"

namespace pshard {
namespace {

LayerSplit lanes(const PlanChoice& choice, const LayerPlace& at) {
    const Lane shard = shard_of(at.layer);
    return pinned_lanes(choice, pin_rank(choice, at), shard).value_or(whole_layer(shard));
}

std::vector<PlanChoice> propose(const Inventory& inventory, const Sizing& sizing) {
    return propose_pin_counts(Strategy::GpuOnlyLayerPinLayerStream, inventory, sizing);
}

}  // namespace

extern const StrategyRule kLayerStream;
const StrategyRule kLayerStream{.name = "GPUONLY_LAYERPIN_LAYERSTREAM",
                                .id = Strategy::GpuOnlyLayerPinLayerStream,
                                .is_published = true,
                                .is_static = false,
                                .slices = true,
                                .lanes = lanes,
                                .propose = propose};

}  // namespace pshard
