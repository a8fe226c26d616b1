// llama-pshard-run: measures the machine once, plans the model if nobody has, and becomes the
// program of stock llama.cpp that is named, with all that the plan assumes.
// docs/cli/llama-pshard-run.md
#include <string>
#include <variant>

#include <unistd.h>

#include <fmt/format.h>

#include "common/log.h"
#include "common/output.h"
#include "plan_flags/program.h"
#include "run/launch.h"
#include "run/options.h"
#include "run/profiles.h"
#include "run/program.h"
#include "run/run_plan.h"
#include "run/surroundings.h"

namespace {

using namespace pshard::tool;
using pshard::Error;
using pshard::Result;
using pshard::Status;

// Takes the plan of the registry, else makes a new one.
Result<RunDecision> plan(const PlanRequest& request) {
    Result<std::optional<RunPlan>> found = plan_in_registry(request);
    if (!found) return found.error();
    if (found.value()) return RunDecision{0, *found.value()};
    return plan_anew(request);
}

int start(const PlanRequest& request, const RunPlan& plan) {
    const Launch launch = make_launch(request, plan);
    if (plan.stock) {
        log_line(fmt::format("stock llama.cpp alone is {}: {}",
                             plan.stock_is_faster ? "faster" : "as good",
                             plan.why));
    } else {
        log_line(plan.why);
    }
    if (!plan.planning.empty()) {
        log_line(
            fmt::format("a dry run writes no registry: the planning command comes first, and "
                        "writes the plan to {}",
                        plan.registry));
    }
    if (request.options.dry_run) return print(dry_run_text(request, plan, launch), 0);
    return fail(become(launch.command).text());
}

int run_program(const RunOptions& options, const Surroundings& here, const HostProgram& program) {
    Result<Profiles> profiles = find_profiles(options, here, program);
    if (!profiles) return fail(profiles.error().text());
    for (const std::string& note : profiles.value().notes) log_line("note: " + note);
    const Result<int> n_threads = threads_of(options, profiles.value());
    if (!n_threads) return fail(n_threads.error().text());
    const PlanRequest request{options, here, program, profiles.value(), n_threads.value()};
    const Result<RunDecision> planned = plan(request);
    if (!planned) return fail(planned.error().text());
    if (planned.value().exit_code != 0) return planned.value().exit_code;  // the planner said why
    return start(request, planned.value().plan);
}

// Checks what can be checked before a minute of measuring.
Status check(const RunOptions& options, const Surroundings& here, const HostProgram& program) {
    const std::vector<std::string> arguments(options.command.begin() + 1, options.command.end());
    if (Status fine = check_arguments(program, arguments); !fine) return fine;
    const Result<std::vector<std::string>> devices =
        devices_of(program, here.environment, here.plugin);
    if (!devices) return devices.error();
    if (options.dry_run) return pshard::Done{};
    return check_port(program, arguments, here.environment);
}

int run(RunOptions options) {
    for (const std::string& refusal : options.plan.refusals) log_line("refused: " + refusal);
    if (!options.plan.refusals.empty()) return kDeclined;
    const Result<Surroundings> here = look_around(environ);
    if (!here) return fail(here.error().text());
    const Variables& environment = here.value().environment;
    const Result<HostProgram> program = find_program(options.command.front(), environment);
    if (!program) return fail(program.error().text());
    if (const Status fits = complete_options(program.value(), environment, options); !fits) {
        return fail(fits.error().text());
    }
    if (const Status fine = check(options, here.value(), program.value()); !fine) {
        return fail(fine.error().text());
    }
    return run_program(options, here.value(), program.value());
}

}  // namespace

int main(int argc, char** argv) {
    return guarded([&] {
        auto read = read_run_options(argc, argv);
        if (const auto* early = std::get_if<EarlyExit>(&read)) return end_early(*early);
        return run(std::get<RunOptions>(std::move(read)));
    });
}
