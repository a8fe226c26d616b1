#include "simgpu/stream_use.h"

namespace pshard::simgpu {

void StreamUse::enter(const char* operation) {
    bool shared = false;
    {
        const std::lock_guard lock(mutex_);
        shared = n_calls_++ > 0 && thread_ != std::this_thread::get_id();
        thread_ = std::this_thread::get_id();
    }
    if (shared) watch_.report({FaultKind::SharedStream, {}, operation, {}, {}});
}

void StreamUse::leave() {
    const std::lock_guard lock(mutex_);
    --n_calls_;
}

}  // namespace pshard::simgpu
