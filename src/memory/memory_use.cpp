#include "memory/memory_use.h"

namespace pshard {
namespace {

HostUse host_use(const Inventory& inventory, const Placement& placement) {
    HostUse use;
    for (std::size_t i = 0; i < inventory.weights.size(); ++i) {
        const Lane lane = placement.weights[i];
        if (is_streamed(lane)) use.streamed += inventory.weights[i].bytes;
        if (lane == Lane::Cpu) use.computed += inventory.weights[i].bytes;
    }
    for (std::size_t i = 0; i < inventory.states.size(); ++i) {
        if (!is_resident(placement.states[i])) use.states += inventory.states[i].bytes;
    }
    return use;
}

}  // namespace

DeviceUse device_use(const Inventory& inventory, const Lowered& lowered, int gpu) {
    const auto at = static_cast<std::size_t>(gpu);
    DeviceUse use;
    use.weights = resident_weight_bytes(inventory, lowered.placement, gpu);
    use.states = resident_state_bytes(inventory, lowered.placement, gpu);
    use.slots = lowered.slots[at].total();
    use.scratch = lowered.scratch.gpus[at].peak;
    return use;
}

MemoryUse memory_use(const Inventory& inventory, const Lowered& lowered) {
    MemoryUse use;
    use.device = device_use(inventory, lowered);
    use.host = host_use(inventory, lowered.placement);
    use.host.scratch = lowered.scratch.cpu.peak;
    return use;
}

double page_locked_share(const HostUse& use, const HostLimits& limits) {
    const Bytes wanted = use.streamed + use.states;
    const std::optional<Bytes> ceiling =
        limits.page_lock_ceiling ? limits.page_lock_ceiling : limits.memory;
    if (wanted == 0 || !ceiling || wanted <= *ceiling) return 1;
    return static_cast<double>(*ceiling) / static_cast<double>(wanted);
}

Bytes host_shortage(const HostUse& use, const HostLimits& limits) {
    if (!limits.memory || use.total() <= *limits.memory) return 0;
    return use.total() - *limits.memory;
}

}  // namespace pshard
