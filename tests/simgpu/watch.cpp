#include "simgpu/watch.h"

#include <cstdio>
#include <cstdlib>

namespace pshard::simgpu {

void Watch::with(const std::function<void(Checker&)>& change) {
    if (!on()) return;
    const std::lock_guard lock(mutex_);
    change(checker_);
}

void Watch::run(Actor actor, std::string_view operation, std::span<const Access> accesses) {
    std::vector<Fault> faults;
    with([&](Checker& checker) { faults = checker.run(actor, operation, accesses); });
    for (const Fault& fault : faults) report(fault);
}

void Watch::report(const Fault& fault) {
    if (n_faults_++ < kPrinted) std::fprintf(stderr, "simgpu: fault: %s\n", fault.text().c_str());
    if (on_fault_ == OnFault::Abort) std::abort();
}

// The fault is told before the other thread's call may end: who reads the count then misses none.
void StreamUse::enter(const char* operation) {
    const std::lock_guard lock(mutex_);
    const bool shared = n_calls_++ > 0 && thread_ != std::this_thread::get_id();
    thread_ = std::this_thread::get_id();
    if (shared) watch_.report({FaultKind::SharedStream, {}, operation, {}, {}});
}

void StreamUse::leave() {
    const std::lock_guard lock(mutex_);
    --n_calls_;
}

}  // namespace pshard::simgpu
