// The device behind PSHARD0: buffers, tensors and graphs of all models and contexts of a process.
//
//   backend.cpp (ggml's view)
//        |  buffers, tensors                     |  graphs
//   ValueStore    where a value is               PassBuilder   a graph becomes a Pass
//        |                                           |
//   ModelTable    which model a graph or buffer belongs to, and its plan
//        |
//   PassCache     passes that were compiled before
//        |
//   PassRunner    one pass after the other, plan switches, values that nobody has fetched
//        |
//   Executor      steps become ggml calls on queues
//
// The Engine puts these together and guards them with one lock: contexts of several threads take
// turns. It is recursive, as a caller's abort callback may come back.
//
// What a second GPU would need here: a PlannedModel has one arena and one Residency, the Executor
// one queue for each lane, and EngineSetup one inner GPU; each of the three becomes one per device.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "runtime/pass_builder.h"
#include "runtime/value_store.h"

namespace pshard {

class Engine {
public:
    // Fails if a device cannot be opened.
    static Result<std::unique_ptr<Engine>> open(EngineSetup setup);
    ~Engine();

    // ---- buffers: tensors are llama.cpp's, with their addresses in a HostBuffer ----
    void forget(HostBuffer& buffer);
    void write(const ggml_tensor& tensor, const void* data, Bytes offset, Bytes bytes);
    void fill(const ggml_tensor& tensor, std::uint8_t value, Bytes offset, Bytes bytes);
    void read(const ggml_tensor& tensor, void* data, Bytes offset, Bytes bytes);
    void clear(HostBuffer& buffer, std::uint8_t value);

    // ---- graphs: of a caller, whose address is its name ----
    // Keeps a graph that llama.cpp reserves, so that the planner knows what will come.
    void note(const ggml_cgraph& graph, const Caller& caller);
    // Computes a graph. ABORTED if the caller wanted to stop: the next graph finds all as if this
    // one had not run, but for the rows of states that it wrote. FAILED after a line in the log.
    ggml_status compute(const ggml_cgraph& graph, const Caller& caller);
    void synchronize();
    void forget(const Caller& caller);

    // Whether the inner GPU can compute it.
    [[nodiscard]] bool supports(const ggml_tensor& op) const { return policy_->supports(op); }

    [[nodiscard]] const EngineSetup& setup() const { return setup_; }

private:
    // The parts that are made before the Executor, which may fail to open.
    struct Parts {
        MemoryWatch memory_watch;  // before anything of ours is on the device
        std::unique_ptr<PageLocks> page_locks;
        std::unique_ptr<Executor> executor;
    };

    Engine(EngineSetup setup, Parts parts);

    Result<Pass*> pass_of(const ggml_cgraph& graph, const Caller& caller);
    void listen_to(const Caller& caller);
    void refuse(const std::string& reason);
    void rotate_plans();
    void watch_memory(const Pass& pass);

    EngineSetup setup_;
    std::unique_ptr<DevicePolicy> policy_;
    Parts parts_;
    CpuHooks cpu_hooks_;
    CpuWeights cpu_weights_;
    PassRunner runner_;
    PassCache passes_;
    ModelTable models_;
    PassBuilder builder_;
    ValueStore values_;
    int computed_ = 0;
    std::string refused_;  // why the last graph was refused; empty: it was not
    std::recursive_mutex mutex_;
};

}  // namespace pshard
