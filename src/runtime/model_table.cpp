#include "runtime/model_table.h"

#include <fmt/format.h>
#include <ggml-impl.h>

#include <algorithm>
#include <set>

#include "base/counted.h"
#include "ggml_kit/device.h"
#include "runtime/host_buffer.h"

namespace pshard {
namespace {

void add_once(std::vector<HostBuffer*>& buffers, HostBuffer* buffer) {
    if (std::find(buffers.begin(), buffers.end(), buffer) == buffers.end()) {
        buffers.push_back(buffer);
    }
}

using Touched = ModelTable::Touched;

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

// The orders of the model of no weights: one tier, in which nothing is resident.
Result<Orders> no_plan(const Inventory&, Bytes) {
    Orders orders;
    orders.tiers.emplace_back();
    orders.arena.tiers.emplace_back();
    return orders;
}

}  // namespace

bool reads_weights(const ggml_cgraph& graph) { return !touched_by(graph).weights.empty(); }

// ---- which model ----

std::unique_ptr<PlannedModel> ModelTable::make_model() const {
    return std::make_unique<PlannedModel>(
        shared_.setup.gpu, *policy_, shared_.page_locks, shared_.setup.progress);
}

PlannedModel* ModelTable::of_buffer(const HostBuffer& buffer) {
    const auto found = std::find_if(models_.begin(), models_.end(), [&](const auto& planned) {
        return planned->model.owns(buffer);
    });
    return found == models_.end() ? nullptr : found->get();
}

// The model of the caller's last graph, if the weights can be more of its own.
PlannedModel* ModelTable::model_of(const Caller& caller, const std::vector<HostBuffer*>& weights) {
    const auto known = called_.find(&caller);
    if (known == called_.end()) return nullptr;
    const bool fit = std::all_of(weights.begin(), weights.end(), [&](const HostBuffer* buffer) {
        return known->second->model.has_room_for(*buffer);
    });
    return fit ? known->second : nullptr;
}

PlannedModel* ModelTable::youngest_owner(const std::vector<HostBuffer*>& buffers) {
    const auto found = std::find_if(models_.rbegin(), models_.rend(), [&](const auto& planned) {
        return std::ranges::any_of(
            buffers, [&](const HostBuffer* buffer) { return planned->model.owns(*buffer); });
    });
    return found == models_.rend() ? nullptr : found->get();
}

PlannedModel* ModelTable::borrower_of(const HostBuffer& buffer) {
    const auto found = std::ranges::find_if(
        models_, [&](const auto& planned) { return planned->model.borrows_from(buffer); });
    return found == models_.end() ? nullptr : found->get();
}

// nullptr: none yet.
PlannedModel* ModelTable::owner_of(const Touched& touched, const Caller& caller) {
    std::vector<HostBuffer*> homeless;
    std::ranges::copy_if(touched.weights,
                         std::back_inserter(homeless),
                         [&](const HostBuffer* buffer) { return of_buffer(*buffer) == nullptr; });
    PlannedModel* owner = youngest_owner(touched.weights);
    if (owner == nullptr) owner = youngest_owner(touched.others);
    const bool fit = owner != nullptr && std::ranges::all_of(homeless, [&](const HostBuffer* one) {
                         return owner->model.has_room_for(*one);
                     });
    if (fit || homeless.empty()) return owner;
    return model_of(caller, homeless);
}

PlannedModel& ModelTable::of_graph(const ggml_cgraph& graph, const Caller& caller) {
    const Touched touched = touched_by(graph);
    PlannedModel* owner = owner_of(touched, caller);
    if (owner == nullptr && touched.weights.empty()) {
        if (!loose_) loose_ = make_model();
        return *loose_;
    }
    if (owner == nullptr) owner = models_.emplace_back(make_model()).get();
    called_[&caller] = owner;
    attach_weights(*owner, touched.weights);
    borrow_weights(*owner, graph);
    std::vector<HostBuffer*> states;
    for (HostBuffer* buffer : touched.others) {
        if (of_buffer(*buffer) == nullptr && holds_states(*buffer, touched))
            states.push_back(buffer);
    }
    attach_states(*owner, states);
    return *owner;
}

// Gives a model the buffers that nobody owns. The files of a split model may show one by one, if
// the host's CPU has other weights.
void ModelTable::attach_weights(PlannedModel& owner, const std::vector<HostBuffer*>& buffers) {
    bool added = false;
    for (HostBuffer* buffer : buffers) {
        if (of_buffer(*buffer) == nullptr) added = owner.model.add_weights(*buffer) || added;
    }
    if (added) plan_again(owner);
}

// Lets a model have what its graph reads of another's weights.
void ModelTable::borrow_weights(PlannedModel& owner, const ggml_cgraph& graph) {
    bool added = false;
    const auto borrow = [&](const ggml_tensor* tensor) {
        const HostBuffer* buffer = tensor != nullptr ? host_buffer_of(*tensor) : nullptr;
        if (buffer == nullptr || owner.model.owns(*buffer) || of_buffer(*buffer) == nullptr) return;
        const ggml_tensor& weight = root_of(*tensor);
        if (buffer->use() != BufferUse::Weights || owner.model.find(&weight) != nullptr) return;
        added = owner.model.borrow(weight) || added;
    };
    for (int i = 0; i < graph.n_nodes; ++i) {
        std::for_each(graph.nodes[i]->src, graph.nodes[i]->src + GGML_MAX_SRC, borrow);
    }
    if (added) plan_again(owner);
}

// Weights have come that its plan does not know.
void ModelTable::plan_again(PlannedModel& owner) {
    if (!owner.planned()) return;
    shared_.passes.clear();
    owner.release(shared_.link);
}

void ModelTable::attach_states(PlannedModel& owner, const std::vector<HostBuffer*>& buffers) {
    if (buffers.empty()) return;
    shared_.passes.clear();
    if (owner.model.is_without_contexts() && !owner.model.has_places_for(buffers)) {
        owner.release(shared_.link);
        owner.model.drop_contexts();
        owner.residency = {};
    }
    std::size_t n_added = 0;
    for (HostBuffer* buffer : buffers) n_added += owner.model.add_states(*buffer);
    owner.mark_stale();  // a new context's states are not in the arena yet
    // A context of another shape came: the model is planned anew, with the contexts that live now.
    if (n_added > 0) owner.release(shared_.link);
}

void ModelTable::forget(const HostBuffer& buffer) {
    if (PlannedModel* owner = of_buffer(buffer)) {
        owner->mark_stale();
        for (const ggml_tensor* tensor : buffer.tensors) {
            const Ref* ref = owner->model.find(tensor);
            if (ref != nullptr && ref->kind == Ref::Kind::State)
                owner->residency.drop_state(ref->index);
        }
        if (owner->model.forget(buffer)) drop(*owner);
    }
    while (PlannedModel* borrower = borrower_of(buffer)) drop(*borrower);
}

void ModelTable::drop(PlannedModel& model) {
    std::erase_if(called_, [&](const auto& entry) { return entry.second == &model; });
    std::erase_if(models_, [&](const auto& planned) { return planned.get() == &model; });
}

void ModelTable::forget(const Caller& caller) {
    const auto known = called_.find(&caller);
    if (known == called_.end()) return;
    tell_rates(*known->second, /*at_end=*/true);
    called_.erase(known);
}

void ModelTable::watch_rates(PlannedModel& owner, const TimedPasses& passes) {
    if (!has_plan(owner) || shared_.setup.replan_every > 0) return;
    owner.rates.add(passes);
    tell_rates(owner, /*at_end=*/false);
}

void ModelTable::tell_rates(PlannedModel& owner, bool at_end) const {
    if (!shared_.setup.tell_rates) return;
    const std::string line = owner.rates.news(at_end);
    if (!line.empty()) shared_.setup.tell_rates(line);
}

void ModelTable::tell_all_rates() const {
    for (const auto& planned : models_) tell_rates(*planned, /*at_end=*/true);
}

void ModelTable::rotate() {
    const int every = shared_.setup.replan_every;
    if (every == 0 || ++n_graphs_ % every != 0) return;
    shared_.passes.clear();
    for (const auto& planned : models_) planned->release(shared_.link);
}

// ---- their memory ----

Bytes ModelTable::arena_bytes() const {
    Bytes bytes = loose_ ? loose_->arena_bytes() : 0;
    for (const auto& planned : models_) bytes += planned->arena_bytes();
    return bytes;
}

Bytes ModelTable::budget_left() const {
    const Bytes used = arena_bytes();
    return shared_.setup.budget > used ? shared_.setup.budget - used : 0;
}

Status ModelTable::ensure_planned(PlannedModel& owner) {
    if (owner.planned()) {
        if (!owner.has_locked_states()) {
            shared_.passes.clear();  // nothing may be copied while locks change
            owner.lock_states();
        }
        return Done{};
    }
    if (loose_ && has_plan(owner)) {  // a model may have all of the budget
        shared_.passes.clear();
        loose_.reset();
    }
    const OrderGiver nothing = no_plan;
    const OrderGiver& source = has_plan(owner) ? shared_.setup.orders : nothing;
    Status planned = owner.plan(source, budget_left());
    if (!planned && owner.refused_bytes() > 0) planned = plan_anew(owner, planned);
    if (planned) lock_pages(owner);
    return planned;
}

// Others have taken memory of the device since its budget was made up, or the user gave more than
// there is. What is free now need not lie in one piece, so each attempt asks for a quarter less at
// least.
Status ModelTable::plan_anew(PlannedModel& owner, const Status& refusal) {
    constexpr int kMostAttempts = 4;
    const EngineSetup& setup = shared_.setup;
    for (int i = 0; i < kMostAttempts && setup.room && owner.refused_bytes() > 0; ++i) {
        const Bytes refused = owner.refused_bytes();
        const Bytes free = memory_of(setup.gpu).free;
        const Bytes budget = std::min(setup.room(free), refused / 4 * 3);
        const std::string news = fmt::format(
            "warning: {} refuses the {:.1f} MiB that the plan takes, as {:.1f} MiB are free: the "
            "model is planned anew for {:.1f} MiB, and slower",
            ggml_backend_dev_name(setup.gpu),
            in_mib(refused),
            in_mib(free),
            in_mib(budget));
        if (news != refused_) setup.log(news);
        refused_ = news;
        if (Status planned = owner.plan(setup.orders, budget); planned) return planned;
    }
    return refusal;
}

void ModelTable::lock_pages(PlannedModel& owner) {
    shared_.passes.clear();
    const PlannedModel::LockedPages pages = owner.lock_pages();
    if (pages.wanted == 0 || shared_.setup.replan_every > 0) return;
    const bool all = pages.locked >= pages.wanted;
    shared_.setup.log(fmt::format(
        "{:.0f} of {:.0f} MiB that are uploaded again and again are page-locked{}{}",
        in_mib(std::min(pages.locked, pages.wanted)),
        in_mib(pages.wanted),
        pages.locked > 0 && shared_.page_locks.moves() ? ", moved to memory of the device's driver"
                                                       : "",
        all ? "" : "; the rest goes through a staging buffer, slower"));
}

Status ModelTable::fit_scratch(PlannedModel& owner,
                               const TierArena& arena,
                               Bytes bytes,
                               std::uint32_t n_tokens) {
    if (!has_plan(owner)) {
        const Bytes left = budget_left() + owner.arena_bytes();
        if (bytes > owner.arena_bytes()) shared_.passes.clear();  // their addresses end
        if (Status grown = owner.grow_scratch(bytes, left); !grown) return grown;
    }
    const Bytes room = owner.scratch_room(arena);
    if (bytes <= room) return Done{};
    return Error{fmt::format("a graph of {} needs {:.1f} MiB of scratch, {:.1f} MiB more "
                             "than its plan left",
                             counted(n_tokens, "token"),
                             in_mib(bytes),
                             in_mib(bytes - room)),
                 {}};
}

void ModelTable::watch(MemoryWatch& memory, const Pass& pass) const {
    if (!has_plan(*pass.owner)) return;  // there are no tiers
    const std::vector<TierOrder>& tiers = pass.owner->orders().tiers;
    const bool news =
        memory.is_news({tiers[pass.tier].key, tiers.front().key, tiers.back().key, pass.n_tokens});
    if (news) memory.look(claims());
}

MemoryClaims ModelTable::claims() const {
    MemoryClaims claims;
    claims.arenas = arena_bytes();
    Bytes planned_for = 0;
    Bytes pools = 0;  // all models compute in one
    for (const auto& planned : models_) {
        if (!planned->planned()) continue;
        planned_for += std::min(planned->orders().budget, shared_.setup.budget);
        pools = std::max(pools, planned->orders().pools);
        claims.driver = std::max(claims.driver, planned->orders().driver);
    }
    claims.budget = shared_.setup.budget_is_given
                        ? shared_.setup.budget
                        : std::min(planned_for + pools, shared_.setup.budget);
    return claims;
}

}  // namespace pshard
