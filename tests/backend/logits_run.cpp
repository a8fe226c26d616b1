// One run of a model in llama.cpp, on whatever backends the environment names. All that it computes
// goes to a file, to be compared with another run's.
//
//   logits_run --model FILE --out FILE [--scenario NAME] [--device NAME] [flags as in
//   run_options.h] logits_run --list
//
// Exit status: 0, 77 if llama.cpp cannot do the scenario with this model, else 1.
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

#include "backend/harness/scenarios.h"
#include "backend/harness/session.h"

namespace pshard::backend_test {
namespace {

int list() {
    for (const Scenario& scenario : scenarios()) {
        fmt::print("{:<16}{}\n", scenario.name, scenario.what);
    }
    return 0;
}

int run(const std::vector<std::string>& arguments) {
    const Result<RunOptions> parsed = parse_options(arguments);
    if (!parsed) fail(parsed.error().text());
    RunOptions options = parsed.value();
    for (const Scenario& scenario : scenarios()) {
        if (scenario.name != options.scenario) continue;
        if (options.n_seq_max == 0) options.n_seq_max = scenario.n_sequences;
        Records records;
        load_backends();
        scenario.run(options, records);
        fmt::print("{} records\n", records.size());
        if (!options.out.empty()) {
            const Result<Done> written = write_records(records, options.out);
            if (!written) fail(written.error().text());
        }
        return 0;
    }
    fail(fmt::format("no scenario '{}'; --list tells them", options.scenario));
}

}  // namespace
}  // namespace pshard::backend_test

int main(int argc, char** argv) {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    if (arguments == std::vector<std::string>{"--list"}) return pshard::backend_test::list();
    return pshard::backend_test::run(arguments);
}
