#include "plan_flags/manual.h"

namespace pshard::tool {

Manual plan_page() {
    Manual manual;
    manual.name = "llama-pshard-plan-params";
    manual.purpose = "plans a model for a VRAM budget and writes its pshard registry";
    manual.synopsis = {"llama-pshard-plan-params -m MODEL.gguf [-c N] [-mva MiB] [FLAG]..."};
    manual.description = {
        "Decides which weights stay on the GPU, which are streamed to it and which the CPU "
        "computes with, for every batch size; tells the tokens per second to expect and why; and "
        "writes the plan beside the model. No GPU is needed, and no weight is read.",
        "Flags are spelled as llama.cpp's. An argument wins over the environment, and of several "
        "the last wins."};
    manual.environment = {
        {"LLAMA_ARG_...", "llama.cpp's variables of the flags that it has"},
        {"PSHARD_CPU_PROFILE, PSHARD_GPU_PROFILE", "as --cpu-profile and --gpu-profile"},
        {"PSHARD_STRATEGY", "a strategy's name or id, 0 to 4, forces it (default: auto)"}};
    manual.files = {
        {"cpu_profile.txt, gpu_profile.txt", "what the profilers measured, in this folder"},
        {"MODEL.gguf.tensor_overrides.pshard_registry", "the plans; libggml-pshard.so reads them"}};
    manual.exit_status = {{"0", "planned, or the whole model fits into the budget"},
                          {"1", "an error; the registry is as it was"},
                          {"2", "refused by name, or no tier has a plan at this budget"}};
    manual.examples = {{"llama-pshard-plan-params -m model.gguf -c 8192 -fa on -mva 11500",
                        "plans for 11500 MiB and prints a table of the tiers"},
                       {"llama-pshard-plan-params -m model.gguf -c 8192 -mva 11500 --explain",
                        "tells why, too: the rivals, the memory, the lanes of a pass"}};
    manual.see_also = "llama-pshard-run(1), llama-profiler-cpu(1), llama-profiler-gpu(1)";
    return manual;
}

}  // namespace pshard::tool
