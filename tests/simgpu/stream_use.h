// Who uses a stream: one thread at a time, the host's waits for its events among them. CUDA does
// not mind; ggml's Vulkan takes command buffers back in such a wait.
#pragma once

#include <mutex>
#include <string>
#include <thread>

#include "simgpu/watch.h"

namespace pshard::simgpu {

class StreamUse {
public:
    explicit StreamUse(Watch& watch) : watch_(watch) {}

    // A call of the host's, while it lasts. A fault if another thread is in one.
    class Call {
    public:
        Call(StreamUse& use, const char* operation) : use_(use) { use_.enter(operation); }

        Call(const Call&) = delete;
        Call& operator=(const Call&) = delete;
        Call(Call&&) = delete;
        Call& operator=(Call&&) = delete;

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
