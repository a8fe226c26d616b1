// The main function of both profilers. docs/cli/llama-profiler-cpu.md,
// docs/cli/llama-profiler-gpu.md
#pragma once

#include "profiler/options.h"

namespace pshard::tool {

int profiler_main(ProfileKind kind, int argc, const char* const* argv);

}  // namespace pshard::tool
