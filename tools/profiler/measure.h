// What a profiler measures, in its order.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "machine/machine_profile.h"
#include "probe/op_case.h"
#include "profiler/options.h"
#include "profiler/progress.h"

namespace pshard::tool {

// The ops to time: those of the lists, or of a model, with the wanted batches. Captures a model in
// a child process, so call it while this process has one thread and no backend.
Result<std::vector<OpCase>> cases_of(const ProfilerOptions& options);

struct Measured {
    MachineProfile profile{};
    std::vector<std::string> notes{};      // what fell short, a sentence each
    std::vector<std::string> left_out{};   // ops that have no row, and why
    std::vector<std::string> unreached{};  // ops that the time limit left no time for
    bool stopped = false;                  // the user did: the figures are worth nothing
};

// Fails when a device does not open or gives up, or there was time for no op at all.
Result<Measured> measure_cpu(const ProfilerOptions& options,
                             const std::vector<OpCase>& cases,
                             Progress& progress);
Result<Measured> measure_gpu(const ProfilerOptions& options,
                             const std::vector<OpCase>& cases,
                             Progress& progress);

}  // namespace pshard::tool
