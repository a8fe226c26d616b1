// The device behind PSHARD0: buffers, tensors and graphs of all models and contexts of a process.
//
// src/runtime/backend.cpp is ggml's view of it. One lock: contexts of several threads take turns.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "plan/step_labels.h"
#include "runtime/caller.h"
#include "runtime/executor.h"
#include "runtime/memory_watch.h"
#include "runtime/planned_model.h"

namespace pshard {

// What a pass did and when, for those who asked for it.
struct PassRecord {
    std::uint32_t n_tokens = 0;
    TierKey tier;
    const std::string& plan;  // TierOrder::text
    const Inventory& seen;    // of its model
    const Schedule& schedule;
    const std::vector<StepLabel>& labels;
    const MeasuredPass& measured;
};

struct EngineSetup {
    ggml_backend_dev_t gpu = nullptr;  // inner devices
    ggml_backend_dev_t cpu = nullptr;
    Bytes budget = 0;              // device bytes for all arenas
    bool budget_is_given = false;  // by the user; else the budgets of the plans are what was agreed
    Bytes page_lock_limit = 0;     // host bytes that may be locked for uploads
    Planner planner;
    Log log;
    Chaos chaos;
    int replan_every = 0;  // graphs; 0: never. For tests of plan switches.
    std::function<void(const PassRecord&)> on_pass{};  // none: passes are not timed
    // Asked before a pass is run for the first time; an Error refuses it. None: plans are believed.
    std::function<Status(const GraphView&, const Lowered&, const TierArena&)> check_pass{};
};

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
    // A graph that is reserved: tells the planner what will come.
    void note(const ggml_cgraph& graph, const Caller& caller);
    // ABORTED if the caller wanted to stop; the next graph finds all as if this one had not run,
    // but for the rows of states that it wrote.
    ggml_status compute(const ggml_cgraph& graph, const Caller& caller);
    void synchronize();
    void forget(const Caller& caller);

    // Whether the inner GPU can compute it.
    [[nodiscard]] bool supports(const ggml_tensor& op) const { return policy_->supports(op); }

    [[nodiscard]] const EngineSetup& setup() const { return setup_; }

private:
    // A graph that was compiled, and what it needs to run again.
    struct Pass {
        std::uint64_t uid = 0;
        const ggml_tensor* first = nullptr;
        int n_nodes = 0;
        PlannedModel* owner = nullptr;
        std::size_t tier = 0;
        TierPlace place;
        std::uint32_t n_tokens = 0;
        std::vector<int> written_states;
        std::vector<StepLabel> labels;  // if timed
        std::unique_ptr<Program> program;
        Status checked = Done{};
    };

    explicit Engine(EngineSetup setup);

    PlannedModel& model_of(const ggml_cgraph& graph, const Caller& caller);
    PlannedModel* model_of(const Caller& caller, const std::vector<HostBuffer*>& weights);
    void attach_weights(PlannedModel& owner, const std::vector<HostBuffer*>& buffers);
    void attach_states(PlannedModel& owner, const std::vector<HostBuffer*>& buffers);
    PlannedModel* owner_of(const HostBuffer& buffer);
    Status ensure_planned(PlannedModel& owner);
    void lock_pages(PlannedModel& owner);
    [[nodiscard]] Bytes budget_left() const;

    // A graph on its way to become a Pass.
    struct Arrival {
        const ggml_cgraph& graph;
        PlannedModel& owner;
        const ReadGraph& read;
        std::size_t tier;
    };

    Result<Pass*> pass_of(const ggml_cgraph& graph, const Caller& caller);
    Pass* cached(const ggml_cgraph& graph, std::optional<std::size_t> tier);
    Result<std::unique_ptr<Pass>> build(const ggml_cgraph& graph,
                                        const Caller& caller,
                                        std::optional<std::size_t> tier);
    Result<std::unique_ptr<Pass>> build_somehow(const Arrival& arrival);
    Result<std::unique_ptr<Pass>> build_as(const Arrival& arrival, Fallback fallback);
    void tell_once(const std::string& line);
    Status fit_scratch(PlannedModel& owner, const TierArena& arena, Bytes bytes, std::uint32_t n);
    static bool alike(const Pass& a, const Pass& b);
    void listen_to(const Caller& caller);
    ggml_status run(Pass& pass);
    void refuse(const std::string& reason);
    void break_off();
    void settle(const Pass& pass);
    void report(const Pass& pass);
    void drop_passes();
    void rotate();

    std::optional<ggml_tensor> elsewhere(const ggml_tensor& tensor);
    void touch(const ggml_tensor& tensor);
    void drop_outlets(const std::byte* begin, Bytes bytes);
    void settle_outlets(const Program* next);
    const Outlet* pending(const ggml_tensor& tensor) const;
    std::shared_ptr<HostBuffer> cpu_scratch(Bytes bytes);
    void finish();  // what was computed is there
    void watch_memory(const Pass& pass);
    [[nodiscard]] MemoryClaims claims() const;
    void idle();  // everything issued is done

    EngineSetup setup_;
    MemoryWatch memory_watch_;  // before anything of ours is on the device
    std::unique_ptr<DevicePolicy> policy_;
    PageLocks page_locks_;
    std::unique_ptr<Executor> executor_;
    CpuHooks cpu_hooks_;
    CpuWeights cpu_weights_;
    std::vector<std::unique_ptr<PlannedModel>> models_;
    std::unordered_map<const Caller*, PlannedModel*> called_;  // the model of its last graph
    std::unique_ptr<PlannedModel> loose_;                      // for graphs of no model
    std::vector<std::unique_ptr<Pass>> passes_;                // most recent first
    Pass* last_pass_ = nullptr;
    std::unordered_map<const ggml_tensor*, Outlet> outlets_;  // of the last pass, not fetched
    std::shared_ptr<HostBuffer> cpu_scratch_;
    std::set<std::string> told_;
    bool computing_ = false;
    int computed_ = 0;
    std::string refused_;  // why the last graph was; empty: it was not
    std::recursive_mutex mutex_;
};

}  // namespace pshard
