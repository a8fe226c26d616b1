#include "runtime/engine.h"

#include <ggml-impl.h>

#include <utility>

namespace pshard {
namespace {

// How to ask for free memory; empty where the CPU stands in: what is free there tells nothing.
std::function<Bytes()> free_memory(const EngineSetup& setup) {
    if (setup.gpu == setup.cpu) return {};
    return [device = setup.gpu] {
        std::size_t free = 0;
        std::size_t total = 0;
        ggml_backend_dev_memory(device, &free, &total);
        return Bytes{free};
    };
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::open(EngineSetup setup) {
    Parts parts{MemoryWatch(free_memory(setup), setup.log),
                std::make_unique<PageLocks>(setup.gpu, setup.page_lock_limit),
                nullptr};
    Result<std::unique_ptr<Executor>> executor = Executor::open(
        {setup.gpu, setup.cpu, *parts.page_locks}, setup.chaos, setup.on_pass != nullptr);
    if (!executor) return executor.error();
    parts.executor = std::move(executor).value();
    return std::unique_ptr<Engine>(new Engine(std::move(setup), std::move(parts)));
}

Engine::Engine(EngineSetup setup, Parts parts)
    : setup_(std::move(setup)),
      policy_(make_inner_device_policy(setup_.gpu)),
      parts_(std::move(parts)),
      cpu_hooks_(setup_.cpu),
      cpu_weights_(setup_.cpu),
      runner_(setup_, *parts_.executor, [this](const Pass& pass) { watch_memory(pass); }),
      passes_(runner_),
      models_({setup_, *policy_, *parts_.page_locks, passes_, parts_.executor->link()}),
      builder_(setup_, models_, cpu_weights_),
      values_({models_, passes_, runner_, *parts_.executor, cpu_weights_}) {}

Engine::~Engine() { runner_.idle(); }

void Engine::watch_memory(const Pass& pass) {
    if (!models_.has_plan(*pass.owner)) return;  // there are no tiers
    const std::vector<TierOrder>& tiers = pass.owner->orders().tiers;
    const bool news =
        parts_.memory_watch.is_news({tiers[pass.tier].key, tiers.front().key, tiers.back().key});
    if (news) parts_.memory_watch.look(models_.claims());
}

// ---- buffers ----

void Engine::write(const ggml_tensor& tensor, const void* data, Bytes offset, Bytes bytes) {
    const std::lock_guard lock(mutex_);
    values_.write(tensor, data, offset, bytes);
}

void Engine::fill(const ggml_tensor& tensor, std::uint8_t value, Bytes offset, Bytes bytes) {
    const std::lock_guard lock(mutex_);
    values_.fill(tensor, value, offset, bytes);
}

void Engine::read(const ggml_tensor& tensor, void* data, Bytes offset, Bytes bytes) {
    const std::lock_guard lock(mutex_);
    values_.read(tensor, data, offset, bytes);
}

void Engine::clear(HostBuffer& buffer, std::uint8_t value) {
    const std::lock_guard lock(mutex_);
    values_.clear(buffer, value, *parts_.page_locks);
}

void Engine::forget(HostBuffer& buffer) {
    const std::lock_guard lock(mutex_);
    runner_.idle();
    runner_.drop_values(buffer.base(), buffer.bytes());
    passes_.clear();
    for (const ggml_tensor* tensor : buffer.tensors) cpu_weights_.forget(tensor);
    models_.forget(buffer);
}

// ---- graphs ----

void Engine::note(const ggml_cgraph& graph, const Caller& caller) {
    const std::lock_guard lock(mutex_);
    if (!reads_weights(graph)) return;
    PlannedModel& owner = models_.of_graph(graph, caller);
    if (owner.planned()) return;
    owner.model.note(owner.model.read(graph).graph);
}

// The pass of a graph, compiled before or now. It becomes the first of the cache.
Result<Pass*> Engine::pass_of(const ggml_cgraph& graph, const Caller& caller) {
    std::optional<std::size_t> tier;
    Pass* pass = passes_.find(graph, tier);
    if (pass != nullptr) {
        tier = pass->owner->next_tier(pass->n_tokens);
        pass = passes_.find(graph, tier);
    }
    if (pass != nullptr) return pass;
    Result<std::unique_ptr<Pass>> built = builder_.build(graph, caller, tier);
    if (!built) return built.error();
    return &passes_.add(std::move(built).value());
}

ggml_status Engine::compute(const ggml_cgraph& graph, const Caller& caller) {
    const std::lock_guard lock(mutex_);
    if (graph.n_nodes == 0) return GGML_STATUS_SUCCESS;
    listen_to(caller);
    rotate_plans();
    Result<Pass*> pass = pass_of(graph, caller);
    if (!pass) {
        refuse(pass.error().text());
        return GGML_STATUS_FAILED;
    }
    refused_.clear();
    const ggml_status status = runner_.run(*pass.value());
    passes_.trim();
    return status;
}

// Tells the CPU backends and the executor what this context wishes: contexts take turns.
void Engine::listen_to(const Caller& caller) {
    Executor& executor = *parts_.executor;
    cpu_hooks_.tell(executor.cpu_backend(), caller);
    if (setup_.gpu == setup_.cpu) cpu_hooks_.tell(executor.gpu().backend(), caller);
    executor.ask_before_stages(caller.abort == nullptr ? std::function<bool()>() : [&caller] {
        return caller.wants_to_stop();
    });
}

// Tells a reason once: a host that ignores a failed warm-up comes again with its prompt.
void Engine::refuse(const std::string& reason) {
    if (reason != refused_) setup_.log(reason);
    refused_ = reason;
}

// Plans anew every few graphs, for tests.
void Engine::rotate_plans() {
    if (setup_.replan_every == 0 || ++computed_ % setup_.replan_every != 0) return;
    passes_.clear();
    models_.release_all();
}

void Engine::synchronize() {
    const std::lock_guard lock(mutex_);
    runner_.finish();
}

void Engine::forget(const Caller& caller) {
    const std::lock_guard lock(mutex_);
    runner_.finish();
    models_.forget(caller);
}

}  // namespace pshard
