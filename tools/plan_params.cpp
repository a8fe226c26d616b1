// llama-pshard-plan-params: plans a model for a VRAM budget, tells what to expect and why, and
// writes the plan to the model's registry. docs/cli/llama-pshard-plan-params.md
#include <exception>
#include <new>
#include <string>
#include <variant>

#include <fmt/format.h>

#include "common/log.h"
#include "common/output.h"
#include "plan_flags/options.h"
#include "plan_params/planner.h"

namespace {

using pshard::tool::fail;
using pshard::tool::kDeclined;
using pshard::tool::print;

int leave(const pshard::tool::EarlyExit& early) {
    return early.code == 0 ? print(early.text, 0) : fail(early.text);
}

int run(const pshard::tool::Options& options) {
    for (const std::string& refusal : options.refusals) {
        pshard::tool::log_line("refused: " + refusal);
    }
    if (!options.refusals.empty()) return kDeclined;
    const pshard::Result<pshard::tool::Outcome> outcome = pshard::tool::plan(options);
    if (!outcome) return fail(outcome.error().text());
    for (const std::string& note : outcome.value().notes) pshard::tool::log_line("note: " + note);
    const std::string& registry = outcome.value().registry;
    const int code =
        print(outcome.value().text,
              outcome.value().exit_code,
              registry.empty() ? "" : fmt::format("; the plan was written to {}", registry));
    if (!outcome.value().refusal.empty()) {
        pshard::tool::log_line("refused: " + outcome.value().refusal);
    }
    return code;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const auto read = pshard::tool::read_command_line(argc, argv);
        if (const auto* early = std::get_if<pshard::tool::EarlyExit>(&read)) return leave(*early);
        return run(std::get<pshard::tool::Options>(read));
    } catch (const std::bad_alloc&) {
        return fail("out of memory: give a smaller context (-c)");
    } catch (const std::exception& error) {
        return fail(error.what());
    }
}
