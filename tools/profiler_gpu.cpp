// llama-profiler-gpu: measures the GPU for the planner. docs/cli/llama-profiler-gpu.md
#include "profiler/profiler.h"

int main(int argc, char** argv) {
    return pshard::tool::profiler_main(pshard::tool::ProfileKind::Gpu, argc, argv);
}
