#include "runtime/caller.h"

#include <ggml-cpu.h>
#include <ggml.h>

#include <type_traits>

#include "ggml_kit/device.h"

namespace pshard {

// A hook is nullptr if the library does not have it.
struct CpuHooks::Hooks {
    ggml_backend_set_n_threads_t set_n_threads = nullptr;
    ggml_backend_set_abort_callback_t set_abort = nullptr;
    decltype(&ggml_backend_cpu_set_threadpool) set_pool = nullptr;
    decltype(&ggml_threadpool_new) new_pool = nullptr;
    decltype(&ggml_threadpool_free) free_pool = nullptr;
};

CpuHooks::CpuHooks(ggml_backend_dev_t cpu) : hooks_(std::make_unique<Hooks>()) {
    const auto find = [cpu](const char* name, auto& function) {
        function = find_function<std::decay_t<decltype(function)>>(cpu, name);
    };
    find("ggml_backend_set_n_threads", hooks_->set_n_threads);
    find("ggml_backend_set_abort_callback", hooks_->set_abort);
    find("ggml_backend_cpu_set_threadpool", hooks_->set_pool);
    find("ggml_threadpool_new", hooks_->new_pool);
    find("ggml_threadpool_free", hooks_->free_pool);
}

CpuHooks::~CpuHooks() {
    for (ggml_threadpool_t pool : pools_) hooks_->free_pool(pool);
}

// A pool of at least so many threads: a graph may use fewer threads than its pool has. A pool that
// is too small stays, paused, since a backend that was told of it looks at it once more when it is
// told of another.
ggml_threadpool_t CpuHooks::pool_of(int n_threads) {
    if (hooks_->new_pool == nullptr || hooks_->free_pool == nullptr) return nullptr;
    if (n_threads > n_pooled_) {
        ggml_threadpool_params params = ggml_threadpool_params_default(n_threads);
        pools_.push_back(hooks_->new_pool(&params));
        n_pooled_ = n_threads;
    }
    return pools_.back();
}

void CpuHooks::tell(ggml_backend_t backend, const Caller& caller) {
    if (hooks_->set_abort != nullptr) hooks_->set_abort(backend, caller.abort, caller.abort_data);
    if (caller.n_threads == 0) return;
    if (hooks_->set_n_threads != nullptr) hooks_->set_n_threads(backend, caller.n_threads);
    if (hooks_->set_pool != nullptr) hooks_->set_pool(backend, pool_of(caller.n_threads));
}

}  // namespace pshard
