// llama-profiler-cpu: measures the CPU and the link to the GPU for the planner.
// docs/cli/llama-profiler-cpu.md
#include "profiler/profiler.h"

int main(int argc, char** argv) {
    return pshard::tool::profiler_main(pshard::tool::ProfileKind::Cpu, argc, argv);
}
