#include "plan/verify.h"

#include <fmt/format.h>

#include <string_view>

#include "base/overloaded.h"
#include "plan/verify_checks.h"

namespace pshard {
namespace {

class FormCheck {
public:
    FormCheck(const PlanUnderTest& plan, Violations& violations)
        : plan_(plan), violations_(violations) {}

    void run() {
        sizes();
        stages();
        for (std::size_t g = 0; g < plan_.cut.groups.size(); g++) group(static_cast<int>(g));
        for (std::size_t i = 0; i < plan_.schedule.steps.size(); i++) step(static_cast<int>(i));
    }

private:
    void expect_size(std::string_view what, std::size_t size, std::size_t expected) {
        if (size == expected) return;
        violations_.push_back(fmt::format("{} has {} entries, not {}", what, size, expected));
    }

    void expect_index(std::string_view what, int index, std::size_t size) {
        if (index >= 0 && static_cast<std::size_t>(index) < size) return;
        violations_.push_back(fmt::format("{} names {}, and there are {}", what, index, size));
    }

    void sizes() {
        const std::size_t n_weights = plan_.inventory.weights.size();
        const std::size_t n_states = plan_.inventory.states.size();
        expect_size("placement.weights", plan_.placement.weights.size(), n_weights);
        expect_size("placement.states", plan_.placement.states.size(), n_states);
        expect_size("arena.weights", plan_.arena.weights.size(), n_weights);
        expect_size("arena.states", plan_.arena.states.size(), n_states);
        expect_size("cut.devices", plan_.cut.devices.size(), plan_.graph.nodes.size());
        for (const DeviceScratch* scratch : {&plan_.scratch.gpu, &plan_.scratch.cpu}) {
            expect_size("scratch.nodes", scratch->nodes.size(), plan_.graph.nodes.size());
            expect_size("scratch.inputs", scratch->inputs.size(), plan_.graph.inputs.size());
            expect_size("scratch.weights", scratch->weights.size(), n_weights);
        }
    }

    void stages() {
        int begin = 0;
        for (std::size_t i = 0; i < plan_.cut.stages.size(); i++) {
            const Stage& stage = plan_.cut.stages[i];
            if (stage.node_begin != begin || stage.node_end <= stage.node_begin) {
                violations_.push_back(fmt::format("stage {} has the nodes [{}, {}), and {} is next",
                                                  i,
                                                  stage.node_begin,
                                                  stage.node_end,
                                                  begin));
            }
            begin = stage.node_end;
            const std::string name = fmt::format("stage {}: group", i);
            if (stage.group != -1) expect_index(name, stage.group, plan_.cut.groups.size());
        }
        const auto n_nodes = static_cast<int>(plan_.graph.nodes.size());
        if (begin == n_nodes) return;
        violations_.push_back(
            fmt::format("the last stage ends at node {}, the graph at {}", begin, n_nodes));
    }

    void group(int index) {
        const StreamGroup& group = plan_.cut.groups[static_cast<std::size_t>(index)];
        const std::string name = group_text(plan_.cut, index);
        for (int weight : group.weights) {
            expect_index(name + ": weight", weight, plan_.inventory.weights.size());
        }
        for (int state : group.states) {
            expect_index(name + ": state", state, plan_.inventory.states.size());
        }
        expect_index(name + ": first stage", group.first_stage, plan_.cut.stages.size());
        expect_index(name + ": last stage", group.last_stage, plan_.cut.stages.size());
    }

    void step(int index) {
        const std::string name = step_text(plan_.schedule, index);
        const auto expect = [&](int named, const auto& of) {
            expect_index(name, named, of.size());
        };
        std::visit(
            Overloaded{[&](const Load& load) { expect(load.group, plan_.cut.groups); },
                       [&](const Compute& compute) { expect(compute.stage, plan_.cut.stages); },
                       [&](const Store& store) { expect(store.group, plan_.cut.groups); },
                       [&](const Wait& wait) { expect(wait.step, plan_.schedule.steps); }},
            plan_.schedule.steps[static_cast<std::size_t>(index)].what);
    }

    const PlanUnderTest& plan_;
    Violations& violations_;
};

}  // namespace

void check_form(const PlanUnderTest& plan, Violations& violations) {
    FormCheck(plan, violations).run();
}

std::string_view device_text(Device device) { return device == Device::Gpu ? "GPU" : "CPU"; }

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
    check_residents(plan.inventory, plan.placement, plan.arena, plan.budget, violations);
    check_slots(plan, violations);
    check_cut(plan, violations);
    check_scratch(plan, violations);
    check_fused(plan, violations);
    check_schedule(plan, violations);
    return violations;
}

}  // namespace pshard
