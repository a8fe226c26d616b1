#include "runtime/engine.h"

#include <fmt/format.h>
#include <ggml-backend-impl.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "runtime/roots.h"

namespace pshard {

namespace {

// None where the CPU stands in: what is free there says nothing of us.
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

Engine::Engine(EngineSetup setup)
    : setup_(std::move(setup)),
      memory_watch_(free_memory(setup_), setup_.log),
      policy_(make_inner_device_policy(setup_.gpu)),
      page_locks_(setup_.gpu, setup_.page_lock_limit),
      cpu_hooks_(setup_.cpu),
      cpu_weights_(setup_.cpu) {}

Engine::~Engine() {
    idle();
    passes_.clear();
}

Result<std::unique_ptr<Engine>> Engine::open(EngineSetup setup) {
    std::unique_ptr<Engine> engine(new Engine(std::move(setup)));
    const EngineSetup& given = engine->setup_;
    Result<std::unique_ptr<Executor>> executor = Executor::open(
        {given.gpu, given.cpu, engine->page_locks_}, given.chaos, given.on_pass != nullptr);
    if (!executor) return executor.error();
    engine->executor_ = std::move(executor).value();
    return engine;
}

void Engine::finish() {
    if (!computing_) return;
    executor_->finish();
    computing_ = false;
    if (last_pass_ == nullptr) return;
    report(*last_pass_);
    watch_memory(*last_pass_);
}

void Engine::watch_memory(const Pass& pass) {
    if (pass.owner == loose_.get()) return;  // has no tiers
    const std::vector<TierOrder>& tiers = pass.owner->orders().tiers;
    const bool news =
        memory_watch_.is_news({tiers[pass.tier].key, tiers.front().key, tiers.back().key});
    if (news) memory_watch_.look(claims());
}

MemoryClaims Engine::claims() const {
    MemoryClaims claims;
    claims.arenas = loose_ ? loose_->arena_bytes() : 0;
    Bytes planned_for = 0;
    for (const auto& planned : models_) {
        if (!planned->planned()) continue;
        claims.arenas += planned->arena_bytes();
        planned_for += std::min(planned->orders().budget, setup_.budget);
        claims.driver = std::max(claims.driver, planned->orders().driver);
    }
    claims.budget = setup_.budget_is_given ? setup_.budget : std::min(planned_for, setup_.budget);
    return claims;
}

void Engine::idle() {
    finish();
    executor_->synchronize();
}

void Engine::report(const Pass& pass) {
    const std::optional<MeasuredPass> measured = executor_->measured();
    if (!measured) return;
    const TierOrder& order = pass.owner->orders().tiers[pass.tier];
    setup_.on_pass({pass.n_tokens,
                    order.key,
                    order.text,
                    pass.owner->model.inventory(),
                    pass.program->schedule,
                    pass.labels,
                    *measured});
}

void Engine::synchronize() {
    const std::lock_guard lock(mutex_);
    finish();
}

void Engine::forget(const Caller& caller) {
    synchronize();
    const std::lock_guard lock(mutex_);
    called_.erase(&caller);
}

PlannedModel* Engine::owner_of(const HostBuffer& buffer) {
    const auto found = std::find_if(models_.begin(), models_.end(), [&](const auto& planned) {
        return planned->model.owns(buffer);
    });
    return found == models_.end() ? nullptr : found->get();
}

void Engine::forget(HostBuffer& buffer) {
    const std::lock_guard lock(mutex_);
    idle();
    drop_outlets(buffer.base(), buffer.bytes());
    drop_passes();
    for (const ggml_tensor* tensor : buffer.tensors) cpu_weights_.forget(tensor);
    PlannedModel* owner = owner_of(buffer);
    if (owner == nullptr) return;
    owner->unsettle();
    for (const ggml_tensor* tensor : buffer.tensors) {
        const Ref* ref = owner->model.find(tensor);
        if (ref != nullptr && ref->kind == Ref::Kind::State)
            owner->residency.drop_state(ref->index);
    }
    if (!owner->model.forget(buffer)) return;
    std::erase_if(called_, [&](const auto& entry) { return entry.second == owner; });
    std::erase_if(models_, [&](const auto& planned) { return planned.get() == owner; });
}

// The value of the last pass that nobody has fetched yet.
const Outlet* Engine::pending(const ggml_tensor& tensor) const {
    const auto found = outlets_.find(&root_of(tensor));
    return found == outlets_.end() ? nullptr : &found->second;
}

// Their memory is used anew: nobody will ask for them.
void Engine::drop_outlets(const std::byte* begin, Bytes bytes) {
    std::erase_if(outlets_, [&](const auto& entry) {
        const Span& span = entry.second.span;
        return span.host < begin + bytes && begin < span.host + span.bytes;
    });
}

// What llama.cpp did not fetch may be a later graph's input, unless that is the same graph again.
void Engine::settle_outlets(const Program* next) {
    const bool again = last_pass_ != nullptr && last_pass_->program.get() == next;
    for (const auto& [root, outlet] : outlets_) {
        if (again) break;
        finish();
        if (outlet.span.device == nullptr) {
            std::memmove(outlet.span.host, outlet.host_value, outlet.span.bytes);
        } else {
            executor_->gpu().download(*outlet.span.device, outlet.span.host, 0, outlet.span.bytes);
            executor_->gpu().synchronize();
        }
    }
    outlets_.clear();
}

namespace {

// The tensor's bytes at its home in the arena.
ggml_tensor in_arena(const ggml_tensor& tensor, ggml_backend_buffer_t arena, Bytes home) {
    ggml_tensor there = tensor;
    there.view_src = nullptr;
    there.view_offs = 0;
    there.extra = nullptr;
    there.buffer = arena;
    there.data = static_cast<std::byte*>(ggml_backend_buffer_get_base(arena)) + home +
                 (tensor.view_src != nullptr ? tensor.view_offs : 0);
    return there;
}

}  // namespace

// Where a tensor's newest value is, if not in host memory.
std::optional<ggml_tensor> Engine::elsewhere(const ggml_tensor& tensor) {
    HostBuffer* buffer = host_buffer_of(tensor);
    PlannedModel* owner = buffer != nullptr ? owner_of(*buffer) : nullptr;
    if (owner == nullptr) return std::nullopt;
    const Ref* ref = owner->model.find(&root_of(tensor));
    if (ref == nullptr || ref->kind != Ref::Kind::State) return std::nullopt;
    const Bytes home = owner->residency.home(ref->index);
    if (home == kNoOffset) return std::nullopt;
    return in_arena(tensor, owner->arena(), home);
}

// The host writes a weight or a state: what was made of its old value is stale.
void Engine::touch(const ggml_tensor& tensor) {
    HostBuffer* buffer = host_buffer_of(tensor);
    PlannedModel* owner = buffer != nullptr ? owner_of(*buffer) : nullptr;
    if (owner == nullptr) return;
    const Ref* ref = owner->model.find(&root_of(tensor));
    if (ref == nullptr) return;
    idle();
    if (ref->kind == Ref::Kind::State) owner->residency.mark_written(ref->index);
    if (ref->kind != Ref::Kind::Weight) return;
    drop_passes();                      // what they have computed lies in the arena
    owner->release(executor_->link());  // all of it: nobody does this while a model runs
    cpu_weights_.forget(&root_of(tensor));
}

void Engine::write(const ggml_tensor& tensor, const void* data, Bytes offset, Bytes bytes) {
    const std::lock_guard lock(mutex_);
    finish();
    drop_outlets(static_cast<const std::byte*>(tensor.data) + offset, bytes);
    touch(tensor);
    if (std::optional<ggml_tensor> there = elsewhere(tensor)) {
        executor_->gpu().upload(*there, data, offset, bytes);
        executor_->gpu().synchronize();
    } else {
        std::memcpy(static_cast<std::byte*>(tensor.data) + offset, data, bytes);
    }
}

void Engine::fill(const ggml_tensor& tensor, std::uint8_t value, Bytes offset, Bytes bytes) {
    const std::lock_guard lock(mutex_);
    std::optional<ggml_tensor> there = elsewhere(tensor);
    if (there && there->buffer->iface.memset_tensor != nullptr) {
        touch(tensor);
        idle();
        ggml_backend_tensor_memset(&*there, value, offset, bytes);
        return;
    }
    const std::vector<std::uint8_t> data(bytes, value);
    write(tensor, data.data(), offset, bytes);
}

void Engine::read(const ggml_tensor& tensor, void* data, Bytes offset, Bytes bytes) {
    const std::lock_guard lock(mutex_);
    finish();
    const Bytes begin = (tensor.view_src != nullptr ? tensor.view_offs : 0) + offset;
    if (const Outlet* outlet = pending(tensor)) {
        if (outlet->span.device == nullptr) {
            std::memcpy(data, outlet->host_value + begin, bytes);
            return;
        }
        executor_->gpu().download(*outlet->span.device, data, begin, bytes);
        executor_->gpu().synchronize();
    } else if (std::optional<ggml_tensor> there = elsewhere(tensor)) {
        executor_->gpu().download(*there, data, offset, bytes);
        executor_->gpu().synchronize();
    } else {
        std::memcpy(data, static_cast<const std::byte*>(tensor.data) + offset, bytes);
    }
}

void Engine::clear(HostBuffer& buffer, std::uint8_t value) {
    const std::lock_guard lock(mutex_);
    idle();
    if (value == 0 && !page_locks_.touch(buffer.base(), buffer.bytes())) {
        buffer.clear_to_zero();
    } else {
        std::memset(buffer.base(), value, buffer.bytes());
    }
    PlannedModel* owner = owner_of(buffer);
    for (const ggml_tensor* tensor : buffer.tensors) {
        if (owner == nullptr) break;
        const Ref* ref = owner->model.find(tensor);
        if (ref == nullptr || ref->kind != Ref::Kind::State) continue;
        if (elsewhere(*tensor)) fill(*tensor, value, 0, ggml_nbytes(tensor));
        if (value == 0) owner->residency.mark_zero(ref->index);
    }
}

}  // namespace pshard
