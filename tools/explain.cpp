// llama-pshard-explain: tells why a plan is what it is, how good it can get, and what would make it
// better. docs/cli/llama-pshard-explain.md
#include "explain/explain.h"

int main(int argc, char** argv) {
    using namespace pshard::tool;
    return run_program([&]() -> std::variant<Task, EarlyExit> {
        auto read = read_explain_command_line(argc, argv);
        if (const auto* early = std::get_if<EarlyExit>(&read)) return *early;
        const ExplainOptions options = std::get<ExplainOptions>(std::move(read));
        return Task{options.planning.refusals, [options] { return explain_model(options); }};
    });
}
