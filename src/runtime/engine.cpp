#include "runtime/engine.h"

#include <ggml-impl.h>

#include <chrono>
#include <thread>
#include <utility>

#include "base/worker.h"
#include "runtime/host_buffer.h"

namespace pshard {

Result<std::unique_ptr<Engine>> Engine::open(EngineSetup setup) {
    MemoryWatch watch(free_memory(setup.gpu, setup.cpu),
                      setup.log);  // nothing of ours is there yet
    auto locks = std::make_unique<PageLocks>(setup.gpu, setup.page_lock_limit);
    Result<std::unique_ptr<Executor>> executor =
        Executor::open({setup.gpu, setup.cpu, *locks}, setup.chaos, setup.on_pass != nullptr);
    if (!executor) return executor.error();
    return std::unique_ptr<Engine>(new Engine(
        std::move(setup), std::move(watch), std::move(locks), std::move(executor).value()));
}

Engine::Engine(EngineSetup setup,
               MemoryWatch watch,
               std::unique_ptr<PageLocks> locks,
               std::unique_ptr<Executor> executor)
    : setup_(std::move(setup)),
      memory_watch_(std::move(watch)),
      page_locks_(std::move(locks)),
      executor_(std::move(executor)),
      cpu_hooks_(setup_.cpu),
      cpu_weights_(setup_.cpu, *page_locks_),
      runner_(setup_,
              *executor_,
              [this](const Pass& pass, const std::optional<TimedPasses>& timing) {
                  models_.watch(memory_watch_, pass);
                  if (timing) models_.watch_rates(*pass.owner, *timing);
              }),
      passes_(runner_),
      models_({setup_, *page_locks_, passes_, executor_->link()}),
      builder_(setup_, models_, cpu_weights_, *page_locks_),
      values_({models_, passes_, runner_, *executor_, cpu_weights_, *page_locks_}) {}

Engine::~Engine() {
    try {
        runner_.idle();
    } catch (...) {  // nobody fetches anything any more, and the executor waits for the rest
        return;
    }
}

void Engine::forget(HostBuffer& buffer) {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    runner_.idle();
    runner_.drop_values(buffer.base(), buffer.bytes());
    passes_.clear();
    for (const ggml_tensor* tensor : buffer.tensors) cpu_weights_.forget(tensor);
    page_locks_->forget(buffer.base(), buffer.bytes());
    models_.forget(buffer);
}

void Engine::note(const ggml_cgraph& graph, const Caller& caller) {
    const std::lock_guard lock(mutex_);
    if (!reads_weights(graph)) return;
    PlannedModel& owner = models_.of_graph(graph, caller);
    if (owner.planned()) return;
    owner.model.note(graph, owner.model.read(graph).graph);
}

// The pass of a graph, compiled before or now. It becomes the first of the cache.
Result<Pass*> Engine::pass_of(const ggml_cgraph& graph, const Caller& caller) {
    std::optional<std::size_t> tier;
    std::optional<std::size_t> begun;
    if (is_behind(place_of(graph), last_piece_)) begun = last_tier_;
    last_piece_ = place_of(graph);
    Pass* pass = passes_.find(graph, tier);
    if (pass != nullptr) {
        tier = pass->owner->next_tier(pass->n_tokens, begun);
        pass = passes_.find(graph, tier);
    }
    if (pass != nullptr) return pass;
    Result<std::unique_ptr<Pass>> built = builder_.build(graph, caller, {tier, begun});
    if (!built) return built.error();
    return &passes_.add(std::move(built).value());
}

ggml_status Engine::compute(const ggml_cgraph& graph, const Caller& caller) {
    std::unique_lock lock(mutex_);
    if (is_ended_by_another()) park(std::move(lock));
    if (ended_) return GGML_STATUS_FAILED;
    if (graph.n_nodes == 0) return GGML_STATUS_SUCCESS;
    computes_ = true;
    const ggml_status status = compute_alone(graph, caller);
    computes_ = false;
    return status;
}

ggml_status Engine::compute_alone(const ggml_cgraph& graph, const Caller& caller) {
    listen_to(caller);
    models_.rotate();
    Result<Pass*> pass = pass_of(graph, caller);
    const std::string reason = pass ? "" : pass.error().text();
    // A reason is told once: a host that ignores a failed warm-up comes again with its prompt.
    if (!pass && reason != refused_) setup_.log(reason);
    refused_ = reason;
    if (!pass) return GGML_STATUS_FAILED;
    last_tier_ = pass.value()->tier;
    const ggml_status status = runner_.run(*pass.value());
    passes_.trim();
    return status;
}

// Tells the CPU backends and the executor what this context wishes: contexts take turns.
void Engine::listen_to(const Caller& caller) {
    cpu_hooks_.tell(executor_->cpu_backend(), caller);
    if (setup_.gpu == setup_.cpu) cpu_hooks_.tell(executor_->gpu().backend(), caller);
    executor_->ask_before_stages(caller.abort == nullptr ? std::function<bool()>() : [&caller] {
        return caller.wants_to_stop();
    });
}

void Engine::synchronize() {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    runner_.finish();
}

void Engine::forget(const Caller& caller) {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    runner_.finish();
    models_.forget(caller);
}

bool Engine::is_ended_by_another() const {
    const std::thread::id ender = ender_;
    return ender != std::thread::id{} && ender != std::this_thread::get_id();
}

// Lets the thread that ends the process have the lock.
void Engine::park(std::unique_lock<std::recursive_timed_mutex> lock) {
    lock.unlock();
    sleep_for_ever();
}

// The lock is never given back: whoever comes waits for it while the process ends.
void Engine::end(bool tells) {
    constexpr std::chrono::seconds kLongest{5};
    ender_ = std::this_thread::get_id();
    const bool alone = mutex_.try_lock_for(kLongest);
    if (ended_) return;
    ended_ = true;
    executor_->stop_for_good();
    if (tells && alone && !computes_) models_.tell_all_rates();
}

}  // namespace pshard
