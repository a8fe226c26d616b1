// What a llama_context asks of all backends that compute for it, and how CPU backends are told.
#pragma once

#include <memory>
#include <vector>

#include <ggml-backend.h>

namespace pshard {

struct Caller {
    int n_threads = 0;  // 0: the caller has not said
    ggml_abort_callback abort = nullptr;
    void* abort_data = nullptr;

    // Asks whether to stop computing.
    [[nodiscard]] bool wants_to_stop() const { return abort != nullptr && abort(abort_data); }
};

// The hooks of a CPU backend's library, which is not linked, and threads that wait for its graphs.
//
// llama.cpp gives its own thread pool to its own CPU backend alone (graph_compute in
// llama-context.cpp): no other device hears of it. Without a pool a CPU backend that was built
// without OpenMP, as npm's are, starts its threads anew for each graph, which here is each stage.
class CpuHooks {
public:
    explicit CpuHooks(ggml_backend_dev_t cpu);
    ~CpuHooks();

    CpuHooks(const CpuHooks&) = delete;
    CpuHooks& operator=(const CpuHooks&) = delete;

    // `backend` computes for `caller` until it is told otherwise.
    void tell(ggml_backend_t backend, const Caller& caller);

private:
    struct Hooks;

    ggml_threadpool_t pool_of(int n_threads);

    std::unique_ptr<Hooks> hooks_;
    std::vector<ggml_threadpool_t> pools_;  // the last is the largest, and the one in use
    int n_pooled_ = 0;                      // threads of the last pool
};

}  // namespace pshard
