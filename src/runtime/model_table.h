// The models of a process, and which of them a graph or a buffer belongs to.
//
// llama.cpp tells no backend which model a graph belongs to. A graph's model is the one that owns a
// buffer which the graph touches: a buffer of weights first, else one of states. Weights that
// nobody owns yet go to that model, or to the one of the same caller's last graph, if that has room
// for their names (a model in several files), and else to a new model. A model that drafts may read
// weights of its target, which is older: so of several owners the youngest is meant, and it borrows
// what it reads of the others. A graph that touches no model's buffer (a
// test's, an adapter's) belongs to the model of no weights, which keeps nothing resident and has to
// give way when another wants to be planned.
//
// Whatever changes a model's places ends all passes first: they hold addresses of its arena.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "runtime/caller.h"
#include "runtime/memory_watch.h"
#include "runtime/pass_cache.h"
#include "runtime/planned_model.h"

namespace pshard {

class ModelTable {
public:
    // What the models share.
    struct Shared {
        const EngineSetup& setup;
        PageLocks& page_locks;
        PassCache& passes;
        Staging& link;
    };

    // The buffers that a graph's tensors lie in, by what they are for.
    struct Touched {
        std::vector<HostBuffer*> weights;
        std::vector<HostBuffer*> others;  // caches, adapters, what tests allocate
        std::set<const HostBuffer*> written;
    };

    explicit ModelTable(const Shared& shared)
        : shared_(shared), policy_(make_inner_device_policy(shared.setup.gpu)) {}

    // The graph's model, with all buffers that the graph touches. `caller` names a context.
    PlannedModel& of_graph(const ggml_cgraph& graph, const Caller& caller);

    // nullptr: the buffer is of no model.
    PlannedModel* of_buffer(const HostBuffer& buffer);

    // Asks for orders where the model has none, and once more for less where the device refuses
    // their arena. Fails with the reason that there are none.
    Status ensure_planned(PlannedModel& owner);

    // Makes room for a pass's values: what the plan left or, if there is no plan, some more.
    Status fit_scratch(PlannedModel& owner, const TierArena& arena, Bytes bytes, std::uint32_t n);

    // The context is gone: tells what its model's passes reached, if nobody has heard of it.
    void forget(const Caller& caller);

    void watch_rates(PlannedModel& owner, const TimedPasses& passes);

    // Tells what the passes of all models reached, where nobody has heard of it.
    void tell_all_rates() const;

    void forget(const HostBuffer& buffer);

    // Counts a graph. After each EngineSetup::replan_every of them all models are planned anew.
    void rotate();

    [[nodiscard]] bool has_plan(const PlannedModel& owner) const { return &owner != loose_.get(); }

    // Lets `memory` look at the device after a pass, if that is news.
    void watch(MemoryWatch& memory, const Pass& pass) const;

private:
    [[nodiscard]] MemoryClaims claims() const;
    std::unique_ptr<PlannedModel> make_model() const;
    PlannedModel* model_of(const Caller& caller, const std::vector<HostBuffer*>& weights);
    PlannedModel* owner_of(const Touched& touched, const Caller& caller);
    PlannedModel* youngest_owner(const std::vector<HostBuffer*>& buffers);
    PlannedModel* borrower_of(const HostBuffer& buffer);
    void attach_weights(PlannedModel& owner, const std::vector<HostBuffer*>& buffers);
    void borrow_weights(PlannedModel& owner, const ggml_cgraph& graph);
    void plan_again(PlannedModel& owner);
    void drop(PlannedModel& model);
    void attach_states(PlannedModel& owner, const std::vector<HostBuffer*>& buffers);
    Status plan_anew(PlannedModel& owner, const Status& refusal);
    void lock_pages(PlannedModel& owner);
    void tell_rates(PlannedModel& owner, bool at_end) const;
    [[nodiscard]] Bytes arena_bytes() const;
    [[nodiscard]] Bytes budget_left() const;

    Shared shared_;
    std::unique_ptr<DevicePolicy> policy_;  // the inner GPU's
    int n_graphs_ = 0;
    std::string refused_;  // what was said last of an arena that the device refused
    std::vector<std::unique_ptr<PlannedModel>> models_;
    std::unordered_map<const Caller*, PlannedModel*> called_;  // the model of its last graph
    std::unique_ptr<PlannedModel> loose_;                      // for graphs of no model
};

// Whether a graph reads weights that lie in memory of PSHARD0.
bool reads_weights(const ggml_cgraph& graph);

}  // namespace pshard
