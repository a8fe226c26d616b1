// llama-pshard-plan-params: plans a model for a VRAM budget, tells what to expect and why, and
// writes the plan to the model's registry. docs/cli/llama-pshard-plan-params.md
#include "plan_params/planner.h"

int main(int argc, char** argv) {
    using namespace pshard::tool;
    return run_program([&]() -> std::variant<Task, EarlyExit> {
        auto read = read_command_line(argc, argv);
        if (const auto* early = std::get_if<EarlyExit>(&read)) return *early;
        const Options options = std::get<Options>(std::move(read));
        return Task{options.refusals, [options] { return plan(options); }};
    });
}
