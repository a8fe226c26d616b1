// llama-pshard-plan-params: plans a model for a VRAM budget, tells what to expect and why, and
// writes the plan to the model's registry. docs/cli/llama-pshard-plan-params.md
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <variant>

#include <fmt/format.h>

#include "common/log.h"
#include "plan_flags/options.h"
#include "plan_params/planner.h"

namespace {

using pshard::tool::kDeclined;
using pshard::tool::kFailed;

int fail(const std::string& reason) {
    pshard::tool::log_line(reason);
    return kFailed;
}

// `done`: what holds although the text could not be written.
int print(const std::string& text, int exit_code, const std::string& done = "") {
    const bool written =
        std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
    if (written) return exit_code;
    return fail(fmt::format("cannot write to stdout: {}{}", std::strerror(errno), done));
}

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
