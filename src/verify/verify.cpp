// Runs the checks of a plan (verify.h lists them). The sizes and indices come first, and the others
// run only if nothing was found there, since they index. Each check adds lines and goes on, so that
// one fault does not hide another.
#include "verify/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/counted.h"
#include "base/overloaded.h"
#include "base/parallel.h"
#include "verify/checks.h"

namespace pshard {
namespace {

class FormCheck {
public:
    FormCheck(const PlanUnderTest& plan, Violations& violations)
        : plan_(plan), violations_(violations) {}

    void run() {
        sizes();
        stages();
        for (std::size_t g = 0; g < plan_.lowered.cut.groups.size(); g++)
            group(static_cast<int>(g));
        for (std::size_t i = 0; i < plan_.lowered.schedule.steps.size(); i++)
            step(static_cast<int>(i));
    }

private:
    void expect_size(std::string_view what, std::size_t size, std::size_t expected) {
        if (size == expected) return;
        complain(violations_, "{} has {} entries, not {}", what, size, expected);
    }

    void expect_index(std::string_view what, int index, std::size_t size) {
        if (index >= 0 && static_cast<std::size_t>(index) < size) return;
        complain(violations_, "{} names {}, and there are {}", what, index, size);
    }

    void expect_gpu(std::string_view what, Device device) {
        const auto n_gpus = static_cast<std::size_t>(plan_.lowered.cut.n_gpus);
        if (device.is_gpu()) expect_index(what, device.number, n_gpus);
    }

    void sizes() {
        const std::size_t n_weights = plan_.inventory.weights.size();
        const std::size_t n_states = plan_.inventory.states.size();
        expect_size("placement.weights", plan_.lowered.placement.weights.size(), n_weights);
        expect_size("placement.states", plan_.lowered.placement.states.size(), n_states);
        const auto n_gpus = static_cast<std::size_t>(plan_.lowered.cut.n_gpus);
        expect_size("arenas", plan_.arenas.size(), n_gpus);
        expect_size("scratch.gpus", plan_.lowered.scratch.gpus.size(), n_gpus);
        for (const ArenaUnderTest& one : plan_.arenas) {
            expect_size("arena.weights", one.arena.weights.size(), n_weights);
            expect_size("arena.states", one.arena.states.size(), n_states);
        }
        expect_size("cut.devices", plan_.lowered.cut.devices.size(), plan_.graph.nodes.size());
        for (const Device device : plan_.lowered.cut.devices) expect_gpu("a node", device);
        std::vector<const DeviceScratch*> scratches = {&plan_.lowered.scratch.cpu};
        for (const DeviceScratch& gpu : plan_.lowered.scratch.gpus) scratches.push_back(&gpu);
        for (const DeviceScratch* scratch : scratches) {
            expect_size("scratch.nodes", scratch->nodes.size(), plan_.graph.nodes.size());
            expect_size("scratch.inputs", scratch->inputs.size(), plan_.graph.inputs.size());
            expect_size("scratch.weights", scratch->weights.size(), n_weights);
        }
    }

    void stages() {
        int begin = 0;
        for (std::size_t i = 0; i < plan_.lowered.cut.stages.size(); i++) {
            const Stage& stage = plan_.lowered.cut.stages[i];
            if (stage.node_begin != begin || stage.node_end <= stage.node_begin) {
                complain(violations_,
                         "stage {} has the nodes [{}, {}), and {} is next",
                         i,
                         stage.node_begin,
                         stage.node_end,
                         begin);
            }
            begin = stage.node_end;
            expect_gpu("a stage", stage.device);
            const std::string name = fmt::format("stage {}: group", i);
            if (stage.group != -1) expect_index(name, stage.group, plan_.lowered.cut.groups.size());
        }
        const std::vector<Node>& nodes = plan_.graph.nodes;
        const auto n_nodes = static_cast<int>(nodes.size());
        // A piece of a graph may be views alone: then there is nothing to compute, in no stage.
        const bool computes = begin > 0 || !std::ranges::all_of(nodes, &Node::is_view);
        if (begin == n_nodes || !computes) return;
        complain(violations_, "the last stage ends at node {}, the graph at {}", begin, n_nodes);
    }

    void group(int index) {
        const StreamGroup& group = plan_.lowered.cut.groups[static_cast<std::size_t>(index)];
        const std::string name = group_text(plan_.lowered.cut, index);
        expect_gpu(name + ": slot", Device::gpu(group.slot.gpu));
        for (int weight : group.weights) {
            expect_index(name + ": weight", weight, plan_.inventory.weights.size());
        }
        for (int state : group.states) {
            expect_index(name + ": state", state, plan_.inventory.states.size());
        }
        expect_index(name + ": first stage", group.first_stage, plan_.lowered.cut.stages.size());
        expect_index(name + ": last stage", group.last_stage, plan_.lowered.cut.stages.size());
    }

    void step(int index) {
        const std::string name = step_text(plan_.lowered.schedule, index);
        const auto expect = [&](int named, const auto& of) {
            expect_index(name, named, of.size());
        };
        std::visit(
            Overloaded{
                [&](const Load& load) { expect(load.group, plan_.lowered.cut.groups); },
                [&](const Compute& compute) { expect(compute.stage, plan_.lowered.cut.stages); },
                [&](const Store& store) { expect(store.group, plan_.lowered.cut.groups); },
                [&](const Wait& wait) { expect(wait.step, plan_.lowered.schedule.steps); }},
            plan_.lowered.schedule.steps[static_cast<std::size_t>(index)].what);
    }

    const PlanUnderTest& plan_;
    Violations& violations_;
};

}  // namespace

void check_form(const PlanUnderTest& plan, Violations& violations) {
    FormCheck(plan, violations).run();
}

std::string device_text(Device device) {
    if (!device.is_gpu()) return "CPU";
    return device == Device::Gpu ? "GPU" : fmt::format("GPU {}", device.number);
}

std::string group_text(const StageCut& cut, int group) {
    const int layer = cut.groups[static_cast<std::size_t>(group)].layer;
    return fmt::format("group {} (layer {})", group, layer);
}

std::string step_text(const Schedule& schedule, int step) {
    const Overloaded words{
        [](const Load& load) { return fmt::format("Load of group {}", load.group); },
        [](const Compute& compute) { return fmt::format("Compute of stage {}", compute.stage); },
        [](const Store& store) { return fmt::format("Store of group {}", store.group); },
        [](const Wait& wait) { return fmt::format("Wait for step {}", wait.step); }};
    const Step& named = schedule.steps[static_cast<std::size_t>(step)];
    return fmt::format("step {} ({})", step, std::visit(words, named.what));
}

std::vector<std::string> verify(const PlanUnderTest& plan) {
    Violations violations;
    check_form(plan, violations);
    if (!violations.empty()) return violations;
    for (std::size_t g = 0; g < plan.arenas.size(); g++) {
        check_residents(
            {plan.inventory, plan.lowered.placement, plan.arenas[g], static_cast<int>(g)},
            violations);
    }
    check_slots(plan, violations);
    check_cut(plan, violations);
    check_scratch(plan, violations);
    check_fused(plan, violations);
    check_schedule(plan, violations);
    return violations;
}

std::vector<std::string> verify_variant(const Inventory& inventory,
                                        const std::vector<TierUnderTest>& tiers,
                                        const std::vector<ArenaLayout>& layouts) {
    std::vector<Placement> placements;
    for (const TierUnderTest& tier : tiers) placements.push_back(tier.lowered.placement);
    Violations violations;
    for (std::size_t g = 0; g < layouts.size(); g++) {
        if (tiers.empty() && layouts[g].tiers.empty()) continue;
        for (std::string& fault :
             verify_arena(inventory, placements, layouts[g], static_cast<int>(g))) {
            violations.push_back(std::move(fault));
        }
        if (tiers.size() != layouts[g].tiers.size()) return violations;
    }
    std::vector<Violations> of_tiers(tiers.size());
    for_each_on_two_threads(tiers.size(), [&](std::size_t t) {
        const auto& [graph, lowered, offload] = tiers[t];
        PlanUnderTest plan{inventory, graph, lowered, {}, offload};
        for (const ArenaLayout& layout : layouts) {
            plan.arenas.push_back({layout.tiers[t], layout.budget});
        }
        of_tiers[t] = verify(plan);
    });
    for (std::size_t t = 0; t < tiers.size(); t++) {
        for (const std::string& violation : of_tiers[t]) {
            complain(violations,
                     "in the tier of {}, {}",
                     counted(to_text(tiers[t].graph.tier()), "token"),
                     violation);
        }
    }
    return violations;
}

Status as_status(const std::vector<std::string>& violations) {
    if (violations.empty()) return Done{};
    const std::size_t n_more = violations.size() - 1;
    const std::string more = n_more == 0 ? "" : fmt::format(" (and {} more)", n_more);
    return Error{fmt::format("the plan does not hold: {}{}; this is a fault of pshard, please "
                             "report it with what --save-inventory writes",
                             violations.front(),
                             more),
                 {}};
}

}  // namespace pshard
