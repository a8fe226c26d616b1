#include "run/manual.h"

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
    manual.options = run_flag_groups();
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
        {"llama-pshard-run -m model.gguf -c 16384 -mva 7500 -- llama-server --port 8080",
         "serves with at most 7500 MiB of the GPU"},
        {"llama-pshard-run -m model.gguf -mva 7500 --for bench -- llama-bench -p 512 -n 128",
         "measures what the plan is worth"}};
    manual.see_also = "llama-pshard-plan-params(1), llama-profiler-cpu(1), llama-profiler-gpu(1)";
    return manual_text(manual);
}

}  // namespace pshard::tool
