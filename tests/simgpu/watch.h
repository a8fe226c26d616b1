// The checker as the device uses it: for several threads, and with a say on what a fault does.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>

#include "simgpu/checker.h"
#include "simgpu/settings.h"

namespace pshard::simgpu {

class Watch {
public:
    explicit Watch(OnFault on_fault) : on_fault_(on_fault) {}

    [[nodiscard]] bool on() const { return on_fault_ != OnFault::Ignore; }

    // Does what changes or asks the checker, alone; nothing where it is off.
    void with(const std::function<void(Checker&)>& change);

    void run(Actor actor, std::string_view operation, std::span<const Access> accesses);

    // Prints the fault, and ends the program where faults do that.
    void report(const Fault& fault);

    [[nodiscard]] unsigned long n_faults() const { return n_faults_; }

private:
    static constexpr unsigned long kPrinted = 50;

    OnFault on_fault_;
    std::mutex mutex_;
    Checker checker_;
    std::atomic<unsigned long> n_faults_ = 0;
};

}  // namespace pshard::simgpu
