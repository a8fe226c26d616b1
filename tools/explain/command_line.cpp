#include <CLI/CLI.hpp>

#include "common/command_line.h"
#include "common/log.h"
#include "explain/options.h"

namespace pshard::tool {
namespace {

Manual page() {
    Manual page;
    page.name = "llama-pshard-explain";
    page.purpose =
        "tells why a plan is what it is, how good it can get, and what would make it better";
    page.synopsis = {"llama-pshard-explain -m MODEL.gguf [-c N] [-mva MiB] [FLAG]..."};
    page.description = {
        "Plans the model as llama-pshard-plan-params does, writes no registry, and explains the "
        "plan: the winner of each tier and why the others lost, where the memory goes, what each "
        "lane does, two lower bounds that no plan can beat, and what a GiB of VRAM, a faster link "
        "or more threads would bring, each really planned again."};
    page.environment = {{"LLAMA_ARG_*, PSHARD_CPU_PROFILE, PSHARD_GPU_PROFILE, PSHARD_STRATEGY",
                         "as llama-pshard-plan-params"}};
    page.exit_status = {{"0", "explained"},
                        {"1", "bad input, or a file that cannot be read or written"},
                        {"2",
                         "refused by name, or no tier has a plan at this budget (what there is, is "
                         "explained)"}};
    page.examples = {
        {"llama-pshard-explain -m model.gguf -c 8192 -fa on -mva 11500", "on the terminal"},
        {"llama-pshard-explain -m model.gguf -c 8192 -fa on -mva 11500 --html report.html",
         "in the browser"},
        {"llama-pshard-explain --inventory model.inv -mva 11500 --trace run.json -o json",
         "holds the plan against a run"},
        {"llama-pshard-explain -m model.gguf -mva 11500 --what-if "
         "gpu=other.txt,link=32GB/s,vram=24000",
         "on another machine"}};
    page.see_also = "llama-pshard-plan-params(1), llama-pshard-run(1)";
    return page;
}

// The words as they were given; options_of() reads them once all are there.
struct Words {
    ExplainOptions options;
    std::vector<std::string> what_ifs;
    std::string format = "md";
    bool quiet = false;
};

void add_flags(CLI::App& app, Words& words) {
    app.add_option("--trace", words.options.trace, "compare with what a run did: its trace")
        ->type_name("FILE");
    app.add_option("--html", words.options.html, "write a report for the browser to this file")
        ->type_name("FILE");
    app.add_option("--what-if",
                   words.what_ifs,
                   "another machine: gpu=FILE,cpu=FILE,link=32GB/s,vram=MIB,threads=N; may be "
                   "given more than once")
        ->type_name("CHANGE")
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app.add_flag("--sweep", words.options.sweep, "plan a dozen budgets too (--html always does)");
    app.add_flag("--quiet", words.quiet, "show no progress on stderr; notes and errors stay");
    app.add_option("-o,--output", words.format, "md, json or csv (default: md)")
        ->type_name("FORMAT")
        ->check(one_of({"md", "json", "csv"}));
}

std::variant<ExplainOptions, EarlyExit> options_of(Words words) {
    for (const std::string& text : words.what_ifs) {
        Result<WhatIf> change = what_if_from_text(text);
        if (!change) return EarlyExit{1, change.error().text()};
        words.options.what_ifs.push_back(std::move(change).value());
    }
    if (words.format == "json") words.options.format = ExplainFormat::Json;
    if (words.format == "csv") words.options.format = ExplainFormat::Csv;
    words.options.planning.no_registry = true;
    if (words.quiet) silence_progress();
    return std::move(words.options);
}

}  // namespace

std::variant<ExplainOptions, EarlyExit> read_explain_command_line(int argc,
                                                                  const char* const* argv) {
    Words words;
    const PlanningProgram program{page(), [&](CLI::App& app) { add_flags(app, words); }};
    std::variant<Options, EarlyExit> planning = read_command_line(argc, argv, &program);
    if (const auto* early = std::get_if<EarlyExit>(&planning)) return *early;
    words.options.planning = std::move(std::get<Options>(planning));
    return options_of(std::move(words));
}

}  // namespace pshard::tool
