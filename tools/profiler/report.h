// What a profiler says on stdout.
#pragma once

#include <string>

#include "profiler/measure.h"
#include "profiler/options.h"

namespace pshard::tool {

// ggml's devices as a table for the user, or as a JSON array.
std::string device_list(bool json);

// Figures and notes for people, or all of it as JSON.
std::string profiler_report(const ProfilerOptions& options, const Measured& measured, Seconds took);

}  // namespace pshard::tool
