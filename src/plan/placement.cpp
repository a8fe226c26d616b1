#include "plan/placement.h"

#include <algorithm>

namespace pshard {
namespace {

template <typename Tensor>
Bytes resident_bytes(const std::vector<Tensor>& tensors, const std::vector<Lane>& lanes, int gpu) {
    Bytes bytes = 0;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        if (lanes[i] == Lane::Gpu.on(gpu)) bytes += tensors[i].alloc_bytes;
    }
    return bytes;
}

}  // namespace

int count_gpus(const Placement& placement) {
    int highest = 0;
    for (const Lane lane : placement.weights) highest = std::max(highest, int{lane.gpu});
    for (const Lane lane : placement.states) highest = std::max(highest, int{lane.gpu});
    return highest + 1;
}

Bytes resident_weight_bytes(const Inventory& inventory, const Placement& placement, int gpu) {
    return resident_bytes(inventory.weights, placement.weights, gpu);
}

Bytes resident_state_bytes(const Inventory& inventory, const Placement& placement, int gpu) {
    return resident_bytes(inventory.states, placement.states, gpu);
}

}  // namespace pshard
