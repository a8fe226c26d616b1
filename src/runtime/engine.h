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
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "runtime/memory_watch.h"
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

    // The tensors' values; no other thread uses the engine as long as this lives.
    [[nodiscard]] auto values() {
        mutex_.lock();
        const auto unlock = [this](ValueStore*) { mutex_.unlock(); };
        return std::unique_ptr<ValueStore, decltype(unlock)>(&values_, unlock);
    }

    // ---- graphs: of a caller, whose address is its name ----
    // Keeps a graph that llama.cpp reserves, so that the planner knows what will come.
    void note(const ggml_cgraph& graph, const Caller& caller);
    // Computes a graph, as PassRunner::run() does. FAILED after a line in the log.
    ggml_status compute(const ggml_cgraph& graph, const Caller& caller);
    void synchronize();
    void forget(const Caller& caller);

    // The process ends, perhaps in the middle of a pass. From then on no copy is begun, and the
    // device's library is not called: it may have ended. A thread that computes now is waited for,
    // and then held, as is every other that comes. `tells`: what was not told of rates.
    void end(bool tells);

    [[nodiscard]] const EngineSetup& setup() const { return setup_; }

private:
    Engine(EngineSetup setup,
           MemoryWatch watch,
           std::unique_ptr<PageLocks> locks,
           std::unique_ptr<Executor> executor);

    ggml_status compute_alone(const ggml_cgraph& graph, const Caller& caller);
    Result<Pass*> pass_of(const ggml_cgraph& graph, const Caller& caller);
    void listen_to(const Caller& caller);
    [[nodiscard]] bool is_ended_by_another() const;
    [[noreturn]] static void park(std::unique_lock<std::recursive_timed_mutex> lock);

    EngineSetup setup_;
    MemoryWatch memory_watch_;
    std::unique_ptr<PageLocks> page_locks_;
    std::unique_ptr<Executor> executor_;
    CpuHooks cpu_hooks_;
    CpuWeights cpu_weights_;
    PassRunner runner_;
    PassCache passes_;
    ModelTable models_;
    PassBuilder builder_;
    ValueStore values_;
    PiecePlace last_piece_{};  // that was computed, and its tier
    std::size_t last_tier_ = 0;
    std::string refused_;                   // why the last graph was refused; empty: it was not
    bool computes_ = false;                 // a signal's handler may end the process in a pass
    std::atomic<std::thread::id> ender_{};  // the thread that ends the process
    bool ended_ = false;
    std::recursive_timed_mutex mutex_;
};

}  // namespace pshard
