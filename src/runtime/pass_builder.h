// Makes a Pass of a graph that arrives.
//
//   read the graph     (Model::read)      as an inventory's Graph, led back to weights and states
//   plan the model     (ModelTable)       if this is its first graph
//   choose a tier      (TierPicker)
//   place              (PlannedModel)     the tier's placement and arena
//   cut, lay out       (plan/)            the functions with which the planner has made the plan
//   compile            (compiler.cpp)     to ggml calls
//
// A graph may not be what was planned: another part of it looks into a state, or it needs more
// scratch or larger slots than the plan has. The pass is then built in the fastest way that works,
// and the user is told once: see Fallback.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "runtime/model_table.h"

namespace pshard {

class PassBuilder {
public:
    PassBuilder(const EngineSetup& setup,
                ModelTable& models,
                CpuWeights& cpu_weights,
                const PageLocks& locks)
        : setup_(setup), models_(models), cpu_weights_(cpu_weights), locks_(locks) {}

    struct WantedTier {
        std::optional<std::size_t> tier{};   // nullopt: it is chosen once the graph is read
        std::optional<std::size_t> begun{};  // as in PlannedModel::next_tier
    };

    // Builds the pass of a graph. Fails with the planner's reason, or with what stands in the way
    // of every fallback.
    Result<std::unique_ptr<Pass>> build(const ggml_cgraph& graph,
                                        const Caller& caller,
                                        const WantedTier& wanted);

private:
    struct Arrival {
        const ggml_cgraph& graph;
        PlannedModel& owner;
        const ReadGraph& read;
        std::size_t tier;
    };

    Result<std::unique_ptr<Pass>> build_somehow(const Arrival& arrival);
    Result<std::unique_ptr<Pass>> build_as(const Arrival& arrival, Fallback fallback);
    std::shared_ptr<HostBuffer> cpu_scratch(Bytes bytes);
    void tell_once(const std::string& line);

    const EngineSetup& setup_;
    ModelTable& models_;
    CpuWeights& cpu_weights_;
    const PageLocks& locks_;
    std::shared_ptr<HostBuffer> cpu_scratch_;  // passes share it, one at a time
    std::set<std::string> told_;
};

}  // namespace pshard
