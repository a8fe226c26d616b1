// llama-pshard-explain: tells why a plan is what it is, how good it can get, and what would make it
// better. docs/cli/llama-pshard-explain.md
#include <exception>
#include <new>
#include <string>
#include <variant>

#include <fmt/format.h>

#include "common/log.h"
#include "common/output.h"
#include "explain/explain.h"
#include "explain/options.h"

namespace {

using pshard::tool::fail;
using pshard::tool::print;

int leave(const pshard::tool::EarlyExit& early) {
    return early.code == 0 ? print(early.text, 0) : fail(early.text);
}

int run(const pshard::tool::ExplainOptions& options) {
    for (const std::string& refusal : options.planning.refusals) {
        pshard::tool::log_line("refused: " + refusal);
    }
    if (!options.planning.refusals.empty()) return pshard::tool::kNoPlan;
    const pshard::Result<pshard::tool::Explained> explained = pshard::tool::explain_model(options);
    if (!explained) return fail(explained.error().text());
    const int code = print(
        explained.value().text,
        explained.value().exit_code,
        options.html.empty() ? "" : fmt::format("; the report was written to {}", options.html));
    if (!explained.value().refusal.empty()) {
        pshard::tool::log_line("refused: " + explained.value().refusal);
    }
    return code;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const auto read = pshard::tool::read_explain_command_line(argc, argv);
        if (const auto* early = std::get_if<pshard::tool::EarlyExit>(&read)) return leave(*early);
        return run(std::get<pshard::tool::ExplainOptions>(read));
    } catch (const std::bad_alloc&) {
        return fail("out of memory: give a smaller context (-c)");
    } catch (const std::exception& error) {
        return fail(error.what());
    }
}
