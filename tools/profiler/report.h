// What a profiler says on stdout when it is done.
#pragma once

#include <string>

#include "profiler/measure.h"
#include "profiler/options.h"

namespace pshard::tool {

// Figures and notes for people, or all of it as JSON.
std::string profiler_report(const ProfilerOptions& options, const Measured& measured, Seconds took);

}  // namespace pshard::tool
