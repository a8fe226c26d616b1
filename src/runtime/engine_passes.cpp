#include <fmt/format.h>
#include <ggml-impl.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

#include "runtime/engine.h"
#include "runtime/roots.h"

namespace pshard {
namespace {

constexpr std::size_t kMaxPasses = 16;

// The buffers that a graph's tensors lie in, by what they are for.
struct Touched {
    std::vector<HostBuffer*> weights;
    std::vector<HostBuffer*> others;  // caches, adapters, what tests allocate
    std::set<const HostBuffer*> written;
};

void add_once(std::vector<HostBuffer*>& buffers, HostBuffer* buffer) {
    if (std::find(buffers.begin(), buffers.end(), buffer) == buffers.end()) {
        buffers.push_back(buffer);
    }
}

Touched touched_by(const ggml_cgraph& graph) {
    Touched touched;
    const auto touch = [&](const ggml_tensor* tensor, bool writes) {
        HostBuffer* buffer = tensor != nullptr ? host_buffer_of(*tensor) : nullptr;
        if (buffer == nullptr || buffer->use() == BufferUse::Compute) return;
        add_once(buffer->use() == BufferUse::Weights ? touched.weights : touched.others, buffer);
        if (writes) touched.written.insert(buffer);
    };
    for (int i = 0; i < graph.n_nodes; ++i) {
        const ggml_tensor* node = graph.nodes[i];
        touch(node, node->view_src != nullptr && !ggml_op_is_empty(node->op));
        for (const ggml_tensor* source : node->src) touch(source, false);
    }
    return touched;
}

bool holds_states(const HostBuffer& buffer, const Touched& touched) {
    return touched.written.contains(&buffer) ||
           std::any_of(buffer.tensors.begin(), buffer.tensors.end(), [](const ggml_tensor* tensor) {
               return is_state_name(tensor->name);
           });
}

// Values outside compute buffers are the caller's to read at any time.
void keep_lasting(ReadGraph& read, const ggml_cgraph& graph) {
    for (int i = 0; i < graph.n_nodes; ++i) {
        const HostBuffer* buffer = host_buffer_of(*graph.nodes[i]);
        const bool lasts = buffer != nullptr && buffer->use() != BufferUse::Compute;
        if (lasts) read.graph.nodes[static_cast<std::size_t>(i)].is_output = true;
    }
}

// nullptr: the input is no view of a state.
const Ref* state_under(const ggml_tensor* input, const Model& model) {
    const Ref* root = input->view_src != nullptr ? model.find(input->view_src) : nullptr;
    return root != nullptr && root->kind == Ref::Kind::State ? root : nullptr;
}

// A view of a state that this graph did not make: part of a graph that is computed piecewise, or
// llama.cpp has left the graph's first views to the part before.
bool looks_into_state(const ReadGraph& read, const Model& model) {
    return std::ranges::any_of(read.inputs, [&](const ggml_tensor* input) {
        return state_under(input, model) != nullptr;
    });
}

// With such views as the states themselves, which their readers then find where they are.
ReadGraph with_states(ReadGraph read, const Model& model) {
    for (Node& node : read.graph.nodes) {
        for (Ref& source : node.sources) {
            if (source.kind != Ref::Kind::Input) continue;
            const ggml_tensor* input = read.inputs[static_cast<std::size_t>(source.index)];
            if (const Ref* state = state_under(input, model)) source = *state;
        }
    }
    std::ranges::replace_if(
        read.inputs,
        [&](const ggml_tensor* input) { return state_under(input, model) != nullptr; },
        nullptr);
    return read;
}

std::vector<int> written_states(const Graph& graph) {
    std::set<int> written;
    for (const Node& node : graph.nodes) {
        const bool writes =
            !node.is_view && node.has_storage && node.storage.kind == Ref::Kind::State;
        if (writes) written.insert(node.storage.index);
    }
    return {written.begin(), written.end()};
}

// Host memory that the device's copies need not stage; nullptr where it has none, or none left.
std::shared_ptr<ggml_backend_buffer> pinned_memory(ggml_backend_dev_t gpu, Bytes bytes) {
    ggml_backend_buffer_type_t type = ggml_backend_dev_host_buffer_type(gpu);
    ggml_backend_buffer_t buffer =
        type == nullptr ? nullptr : ggml_backend_buft_alloc_buffer(type, bytes);
    if (buffer == nullptr) return nullptr;
    return {buffer, ggml_backend_buffer_free};
}

std::string_view reason_of(Fallback fallback) {
    switch (fallback) {
        case Fallback::NoStreams:
            return "with the CPU computing what would be streamed";
        case Fallback::Host:
            return "on the CPU";
        case Fallback::HostState:
            return "with the states in host memory";
        case Fallback::None:
            break;
    }
    return "as planned";
}

}  // namespace

// ---- models ----

// The model that the caller's last graph was of, if the weights can be others of its.
PlannedModel* Engine::model_of(const Caller& caller, const std::vector<HostBuffer*>& weights) {
    const auto known = called_.find(&caller);
    if (known == called_.end()) return nullptr;
    const bool fit = std::all_of(weights.begin(), weights.end(), [&](const HostBuffer* buffer) {
        return known->second->model.has_room_for(*buffer);
    });
    return fit ? known->second : nullptr;
}

PlannedModel& Engine::model_of(const ggml_cgraph& graph, const Caller& caller) {
    const Touched touched = touched_by(graph);
    PlannedModel* owner = nullptr;
    for (HostBuffer* buffer : touched.weights) {
        if (owner == nullptr) owner = owner_of(*buffer);
    }
    for (HostBuffer* buffer : touched.others) {
        if (owner == nullptr) owner = owner_of(*buffer);
    }
    if (owner == nullptr && touched.weights.empty()) {
        if (!loose_) loose_ = std::make_unique<PlannedModel>(setup_.gpu, *policy_, page_locks_);
        return *loose_;
    }
    if (owner == nullptr) owner = model_of(caller, touched.weights);
    if (owner == nullptr) {
        models_.push_back(std::make_unique<PlannedModel>(setup_.gpu, *policy_, page_locks_));
        owner = models_.back().get();
    }
    called_[&caller] = owner;
    attach_weights(*owner, touched.weights);
    std::vector<HostBuffer*> states;
    for (HostBuffer* buffer : touched.others) {
        if (owner_of(*buffer) == nullptr && holds_states(*buffer, touched))
            states.push_back(buffer);
    }
    attach_states(*owner, states);
    return *owner;
}

// Files of a split model may come to light one by one, where other weights are the host's CPU's.
void Engine::attach_weights(PlannedModel& owner, const std::vector<HostBuffer*>& buffers) {
    bool added = false;
    for (HostBuffer* buffer : buffers) {
        if (owner_of(*buffer) == nullptr) added = owner.model.add_weights(*buffer) || added;
    }
    if (!added || !owner.planned()) return;
    drop_passes();
    owner.release(executor_->link());
}

void Engine::attach_states(PlannedModel& owner, const std::vector<HostBuffer*>& buffers) {
    if (buffers.empty()) return;
    drop_passes();
    if (owner.model.is_without_contexts() && !owner.model.has_places_for(buffers)) {
        owner.release(executor_->link());
        owner.model.drop_contexts();
        owner.residency = {};
    }
    std::size_t n_added = 0;
    for (HostBuffer* buffer : buffers) n_added += owner.model.add_states(*buffer).size();
    owner.unsettle();  // a new context's states are not there yet
    // A context of another shape: planned anew, with the contexts that live now.
    if (n_added > 0) owner.release(executor_->link());
}

Bytes Engine::budget_left() const {
    Bytes used = loose_ ? loose_->arena_bytes() : 0;
    for (const auto& planned : models_) used += planned->arena_bytes();
    return setup_.budget > used ? setup_.budget - used : 0;
}

Status Engine::ensure_planned(PlannedModel& owner) {
    if (owner.planned()) return Done{};
    if (loose_ && loose_.get() != &owner) {  // a model may have all of the budget
        drop_passes();
        loose_.reset();
    }
    const Planner nothing = [](const Inventory&, Bytes) {
        Orders orders;
        orders.tiers.emplace_back();
        orders.arena.tiers.emplace_back();
        return Result<Orders>(orders);
    };
    const Planner& planner = &owner == loose_.get() ? nothing : setup_.planner;
    if (Status planned = owner.plan(planner, budget_left()); !planned) return planned;
    lock_pages(owner);
    return Done{};
}

void Engine::lock_pages(PlannedModel& owner) {
    const PlannedModel::LockedPages pages = owner.lock_pages();
    if (pages.wanted == 0 || setup_.replan_every > 0) return;
    const bool all = pages.locked >= pages.wanted;
    setup_.log(
        fmt::format("{:.0f} of {:.0f} MiB that are uploaded again and again are page-locked{}",
                    in_mib(std::min(pages.locked, pages.wanted)),
                    in_mib(pages.wanted),
                    all ? "" : "; the rest goes through a staging buffer, slower"));
}

// ---- graphs ----

void Engine::note(const ggml_cgraph& graph, const Caller& caller) {
    const std::lock_guard lock(mutex_);
    if (touched_by(graph).weights.empty()) return;
    PlannedModel& owner = model_of(graph, caller);
    if (owner.planned()) return;
    owner.model.note(owner.model.read(graph).graph);
}

Engine::Pass* Engine::cached(const ggml_cgraph& graph, std::optional<std::size_t> tier) {
    if (graph.uid == 0) return nullptr;
    const auto found = std::find_if(passes_.begin(), passes_.end(), [&](const auto& pass) {
        return pass->uid == graph.uid && pass->first == graph.nodes[0] &&
               pass->n_nodes == graph.n_nodes && (!tier || pass->tier == *tier);
    });
    if (found == passes_.end()) return nullptr;
    std::rotate(passes_.begin(), found, std::next(found));
    return passes_.front().get();
}

void Engine::drop_passes() {
    idle();
    settle_outlets(nullptr);  // they lie where a pass has put them
    passes_.clear();
    last_pass_ = nullptr;
}

std::shared_ptr<HostBuffer> Engine::cpu_scratch(Bytes bytes) {
    if (cpu_scratch_ != nullptr && cpu_scratch_->bytes() >= bytes) return cpu_scratch_;
    constexpr Bytes kLeast = 64 * kMiB;
    const Bytes roomy = std::max(kLeast, 2 * bytes);
    std::shared_ptr<ggml_backend_buffer> pinned = pinned_memory(setup_.gpu, roomy);
    HostBuffer* memory = pinned == nullptr
                             ? HostBuffer::reserve(roomy)
                             : HostBuffer::adopt(ggml_backend_buffer_get_base(pinned.get()), roomy);
    PSHARD_CHECK(memory != nullptr);
    memory->handle = ggml_backend_cpu_buffer_from_ptr(memory->base(), memory->bytes());
    cpu_scratch_ = {memory, [pinned](HostBuffer* buffer) {
                        ggml_backend_buffer_free(buffer->handle);
                        delete buffer;
                    }};
    return cpu_scratch_;
}

// Memory for a pass's values on the GPU: what the plan left, or, where there is none, some more.
Status Engine::fit_scratch(PlannedModel& owner,
                           const TierArena& arena,
                           Bytes bytes,
                           std::uint32_t n_tokens) {
    if (&owner == loose_.get()) {
        const Bytes left = budget_left() + owner.arena_bytes();
        if (bytes > owner.arena_bytes()) drop_passes();  // their addresses go
        if (Status grown = owner.grow_scratch(bytes, left); !grown) return grown;
    }
    const Bytes room = owner.scratch_room(arena);
    if (bytes <= room) return Done{};
    return Error{fmt::format("a graph of {} tokens needs {:.1f} MiB of scratch, {:.1f} MiB more "
                             "than its plan left",
                             n_tokens,
                             in_mib(bytes),
                             in_mib(bytes - room)),
                 {}};
}

namespace {

Status fit_slots(const SlotSizes& needed, const SlotSizes& planned, std::uint32_t n_tokens) {
    if (needed.pair <= planned.pair && needed.experts <= planned.experts) return Done{};
    return Error{fmt::format("a graph of {} tokens streams {:.1f} MiB at once, its plan has slots "
                             "for {:.1f} MiB",
                             n_tokens,
                             in_mib(needed.total()),
                             in_mib(planned.total())),
                 {}};
}

}  // namespace

Result<std::unique_ptr<Engine::Pass>> Engine::build_as(const Arrival& arrival, Fallback fallback) {
    const auto& [source, owner, read, tier] = arrival;
    const Graph& graph = read.graph;
    const Inventory& inventory = owner.model.inventory();
    auto pass = std::make_unique<Pass>();
    pass->owner = &owner;
    pass->tier = tier;
    pass->n_tokens = graph.n_tokens;
    pass->written_states = written_states(graph);
    pass->place = owner.place(tier, fallback);
    const TierArena& arena = pass->place.arena;
    StageOptions options = pass->place.options;
    options.offload = OpOffload::Never;  // whatever the orders say, the CPU computes its weights
    const Lowered lowered = lower({inventory, graph}, pass->place.placement, options);
    if (Status fits = fit_slots(lowered.slots[0], arena.slots, graph.n_tokens); !fits) {
        return fits.error();
    }
    const Bytes peak = lowered.scratch.gpus[0].peak;
    if (Status fits = fit_scratch(owner, arena, peak, graph.n_tokens); !fits) return fits.error();
    const std::shared_ptr<HostBuffer> host = cpu_scratch(lowered.scratch.cpu.peak);
    const Memories memories{owner.arena(), host->handle, cpu_weights_};
    Result<std::unique_ptr<Program>> program =
        compile({owner.model, source, read, lowered, arena}, memories);
    if (!program) return program.error();
    pass->program = std::move(program).value();
    pass->program->cpu_scratch = host;
    if (setup_.check_pass) {
        TierArena whole = arena;  // with all that is left behind its slots
        whole.scratch = owner.scratch_room(arena);
        whole.end = whole.scratch_begin + whole.scratch;
        pass->checked = setup_.check_pass({inventory, graph}, lowered, whole);
    }
    if (setup_.on_pass) {
        pass->labels = label_steps(inventory, graph, lowered.cut, lowered.schedule);
    }
    return pass;
}

// As ordered; where that cannot be, in the fastest way that can, and says so.
Result<std::unique_ptr<Engine::Pass>> Engine::build_somehow(const Arrival& arrival) {
    const bool piecewise = looks_into_state(arrival.read, arrival.owner.model);
    const ReadGraph resolved =
        piecewise ? with_states(arrival.read, arrival.owner.model) : ReadGraph{};
    Result<std::unique_ptr<Pass>> pass =
        build_as({arrival.graph, arrival.owner, piecewise ? resolved : arrival.read, arrival.tier},
                 Fallback::None);
    const Fallback first = piecewise ? Fallback::HostState : Fallback::NoStreams;
    for (const Fallback fallback : {first, Fallback::Host}) {
        if (pass) break;
        const std::string reason = pass.error().text();
        pass = build_as(arrival, fallback);
        if (pass) tell_once(fmt::format("{}: computed {}", reason, reason_of(fallback)));
    }
    return pass;
}

void Engine::tell_once(const std::string& line) {
    if (told_.insert(line).second) setup_.log(line);
}

// `tier`: of a graph that is known; else it is chosen once the graph is read.
Result<std::unique_ptr<Engine::Pass>> Engine::build(const ggml_cgraph& graph,
                                                    const Caller& caller,
                                                    std::optional<std::size_t> tier) {
    PlannedModel& owner = model_of(graph, caller);
    ReadGraph read = owner.model.read(graph);
    keep_lasting(read, graph);
    if (!owner.planned() && read.graph.n_tokens > 0) owner.model.note(read.graph);
    if (Status planned = ensure_planned(owner); !planned) return planned.error();
    if (!tier) tier = owner.next_tier(read.graph.n_tokens);
    Result<std::unique_ptr<Pass>> pass = build_somehow({graph, owner, read, *tier});
    if (!pass) return pass;
    if (!pass.value()->checked) return pass.value()->checked.error();
    pass.value()->uid = graph.uid;
    pass.value()->first = graph.nodes[0];
    pass.value()->n_nodes = graph.n_nodes;
    return pass;
}

// Compiled before, or now. It becomes the first of passes_.
Result<Engine::Pass*> Engine::pass_of(const ggml_cgraph& graph, const Caller& caller) {
    std::optional<std::size_t> tier;
    Pass* pass = cached(graph, tier);
    if (pass != nullptr) {
        tier = pass->owner->next_tier(pass->n_tokens);
        pass = cached(graph, tier);
    }
    if (pass != nullptr) return pass;
    Result<std::unique_ptr<Pass>> built = build(graph, caller, tier);
    if (!built) return built.error();
    passes_.insert(passes_.begin(), std::move(built).value());
    return passes_.front().get();
}

// Contexts take turns, each with its own wishes.
void Engine::listen_to(const Caller& caller) {
    cpu_hooks_.tell(executor_->cpu_backend(), caller);
    if (setup_.gpu == setup_.cpu) cpu_hooks_.tell(executor_->gpu().backend(), caller);
    executor_->ask_before_stages(caller.abort == nullptr ? std::function<bool()>() : [&caller] {
        return caller.wants_to_stop();
    });
}

// Once: a host that takes no notice of a failed warm-up comes again with its prompt.
void Engine::refuse(const std::string& reason) {
    if (reason != refused_) setup_.log(reason);
    refused_ = reason;
}

ggml_status Engine::compute(const ggml_cgraph& graph, const Caller& caller) {
    const std::lock_guard lock(mutex_);
    if (graph.n_nodes == 0) return GGML_STATUS_SUCCESS;
    listen_to(caller);
    rotate();
    Result<Pass*> pass = pass_of(graph, caller);
    if (!pass) {
        refuse(pass.error().text());
        return GGML_STATUS_FAILED;
    }
    refused_.clear();
    const ggml_status status = run(*pass.value());
    if (passes_.size() > kMaxPasses) passes_.pop_back();
    return status;
}

// Who traces a run wants to know what its plan switches take.
void Engine::settle(const Pass& pass) {
    idle();
    const auto begin = std::chrono::steady_clock::now();
    const Bytes moved = pass.owner->settle(pass.place, pass.tier, executor_->link());
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    if (!setup_.on_pass) return;
    setup_.log(fmt::format("plan switch to the tier of {} tokens: {:.3f} MiB in {:.3f} ms",
                           to_text(pass.owner->orders().tiers[pass.tier].key),
                           in_mib(moved),
                           1e3 * took.count()));
}

// Whether one may begin while the other ends: the same steps with the same places.
bool Engine::alike(const Pass& a, const Pass& b) {
    return a.owner == b.owner && a.place == b.place && a.program->schedule == b.program->schedule &&
           a.program->cut.groups == b.program->cut.groups;
}

ggml_status Engine::run(Pass& pass) {
    PlannedModel& owner = *pass.owner;
    settle_outlets(pass.program.get());
    bool follows = last_pass_ != nullptr && (last_pass_ == &pass || alike(*last_pass_, pass));
    if (!owner.is_settled(pass.place)) {
        settle(pass);
        follows = false;
    }
    for (const int state : pass.written_states) owner.residency.mark_written(state);
    if (setup_.on_pass) finish();  // what was measured is reported once
    const ggml_status status = executor_->run(*pass.program, follows);
    if (status != GGML_STATUS_SUCCESS) {
        break_off();
        return status;
    }
    computing_ = true;
    last_pass_ = &pass;
    for (const Outlet& outlet : pass.program->outlets) {
        if (!outlet.at_once) outlets_.emplace(outlet.root, outlet);
    }
    return status;
}

// The marks of the steps that were not issued are those of older passes: nothing may follow them.
void Engine::break_off() {
    executor_->synchronize();
    computing_ = false;
    last_pass_ = nullptr;
}

// For tests: another plan every few graphs.
void Engine::rotate() {
    if (setup_.replan_every == 0 || ++computed_ % setup_.replan_every != 0) return;
    drop_passes();
    for (const auto& planned : models_) planned->release(executor_->link());
}

}  // namespace pshard
