// The checker as the device uses it: for several threads, and with a say on what a fault does.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

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

// Who uses a stream: one thread at a time, the host's waits for its events among them. CUDA does
// not mind; ggml's Vulkan takes command buffers back in such a wait.
class StreamUse {
public:
    explicit StreamUse(Watch& watch) : watch_(watch) {}

    // A call of the host's, while it lasts. A fault if another thread is in one.
    class Call {
    public:
        Call(StreamUse& use, const char* operation) : use_(use) { use_.enter(operation); }

        Call(const Call&) = delete;
        Call& operator=(const Call&) = delete;

        ~Call() { use_.leave(); }

    private:
        StreamUse& use_;
    };

private:
    void enter(const char* operation);
    void leave();

    Watch& watch_;
    std::mutex mutex_;
    std::thread::id thread_;  // of the calls
    int n_calls_ = 0;
};

}  // namespace pshard::simgpu
