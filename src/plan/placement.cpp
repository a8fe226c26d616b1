#include "plan/placement.h"

namespace pshard {
namespace {

template <typename Tensor>
Bytes resident_bytes(const std::vector<Tensor>& tensors, const std::vector<Lane>& lanes) {
    Bytes bytes = 0;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        if (lanes[i] == Lane::Gpu) bytes += tensors[i].alloc_bytes;
    }
    return bytes;
}

}  // namespace

Bytes resident_weight_bytes(const Inventory& inventory, const Placement& placement) {
    return resident_bytes(inventory.weights, placement.weights);
}

Bytes resident_state_bytes(const Inventory& inventory, const Placement& placement) {
    return resident_bytes(inventory.states, placement.states);
}

}  // namespace pshard
