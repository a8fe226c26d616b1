#include "run/manual.h"

#include <algorithm>
#include <array>
#include <map>

#include "plan_flags/manual.h"

namespace pshard::tool {
namespace {

ManualGroup own_flags() {
    return {"Run",
            {{"--for chat|agent|batch|bench",
              "what the run is for: sets slots, largest batch, and what plans are compared by, "
              "where no flag does (default: as the planner)"},
             {"--dry-run",
              "print the command instead of becoming it, before it the one that plans where no "
              "registry has the plan; measure and write nothing"},
             {"-o, --output text|json", "with --dry-run: how it is printed (default: text)"},
             {"--replan", "plan anew, whatever the registry holds"},
             {"--time-limit SECONDS", "of each profiler, where the machine is measured (60)"},
             {"-h, --help", "print this page"},
             {"--version", "print the version"}}};
}

// What a flag means here, where that is not what it means to the planner.
const std::string& meaning_of(const ManualEntry& entry) {
    static const std::map<std::string, std::string> kMeanings = {
        {"-ub", "the largest tier, and so the program's ubatch"},
        {"-dev", "cuda or vulkan: how device memory is counted (default: as the GPU profile's)"},
        {"--cpu-profile", "(default: of this machine, in this folder or in the cache)"},
        {"--gpu-profile", "(default: of this machine, in this folder or in the cache)"},
        {"-b", "logical batch (default: the ubatch)"}};
    const auto found = kMeanings.find(entry.term.substr(0, entry.term.find_first_of(", ")));
    return found == kMeanings.end() ? entry.text : found->second;
}

constexpr std::array kShownGroups = {"Model", "Context", "Budget", "Machine", "Output"};

// Of those groups, what a run does not take: see options.cpp and settle_for().
constexpr std::array kForeignFlags = {"--for",
                                      "--inventory",
                                      "--save-inventory",
                                      "-mm",
                                      "--mtp",
                                      "--n-outputs",
                                      "--no-registry",
                                      "-o",
                                      "--explain",
                                      "--emit-args"};

bool is_foreign(const ManualEntry& entry) {
    const std::string flag = entry.term.substr(0, entry.term.find_first_of(", "));
    return std::find(kForeignFlags.begin(), kForeignFlags.end(), flag) != kForeignFlags.end();
}

// The planner's flags that a run takes.
std::vector<ManualGroup> planner_flags() {
    std::vector<ManualGroup> groups;
    for (ManualGroup& group : plan_flag_groups()) {
        const auto shown = std::find(kShownGroups.begin(), kShownGroups.end(), group.title);
        if (shown == kShownGroups.end()) continue;
        std::erase_if(group.entries, is_foreign);
        for (ManualEntry& entry : group.entries) entry.text = std::string(meaning_of(entry));
        groups.push_back(std::move(group));
    }
    return groups;
}

}  // namespace

std::string run_manual() {
    Manual manual;
    manual.name = "llama-pshard-run";
    manual.purpose = "starts a program of stock llama.cpp with a pshard plan";
    manual.synopsis = {"llama-pshard-run -m MODEL.gguf [FLAG]... -- PROGRAM [ARGUMENT]..."};
    manual.description = {
        "Measures this machine if nobody has (once, two minutes), plans the model if the registry "
        "beside it holds no plan for these flags, and becomes PROGRAM: llama-server, llama-cli, "
        "llama-completion, llama-bench or llama-perplexity of llama.cpp v" PSHARD_LLAMA_VERSION
        ", from $PATH or by its path, with the environment and the flags that the plan assumes.",
        "Flags before -- are llama.cpp's and the planner's; what stands behind it goes to the "
        "program as it is. Where stock llama.cpp alone is as good, it is started without a plan, "
        "and a line says so."};
    manual.options = planner_flags();
    manual.options.insert(manual.options.begin(), own_flags());
    manual.environment = {
        {"GGML_BACKEND_PATH", "the GPU's backend, where llama.cpp does not find it by itself"},
        {"PSHARD_DEVICE", "the device to compute on (default: the first GPU)"},
        {"PSHARD_MAX_VRAM_ALLOC, PSHARD_REGISTRY", "as -mva and --registry"},
        {"XDG_CACHE_HOME", "where profiles are kept, in pshard/ (default: ~/.cache)"}};
    manual.files = {{"~/.cache/pshard/cpu_profile.txt, gpu_profile.txt", "this machine"},
                    {"MODEL.gguf.tensor_overrides.pshard_registry", "the plans of a model"}};
    manual.exit_status = {{"1", "an error, before the program was started"},
                          {"2", "no plan at this budget, or refused by name"},
                          {"other", "the program's own: this process has become it"}};
    manual.examples = {
        {"llama-pshard-run -m model.gguf -c 16384 -mva 8000 -- llama-server --port 8080",
         "serves with at most 8000 MiB of the GPU"},
        {"llama-pshard-run -m model.gguf -mva 8000 --for bench -- llama-bench -p 512 -n 128",
         "measures what the plan is worth"}};
    manual.see_also = "llama-pshard-plan-params(1), llama-profiler-cpu(1), llama-profiler-gpu(1)";
    return manual_text(manual);
}

}  // namespace pshard::tool
