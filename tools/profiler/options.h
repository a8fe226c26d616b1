// What the user asked of a profiler.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/units.h"
#include "common/output.h"

namespace pshard::tool {

enum class ProfileKind : std::uint8_t { Cpu, Gpu };

const char* program_of(ProfileKind kind);  // "llama-profiler-cpu", "llama-profiler-gpu"

struct ProfilerOptions {
    ProfileKind kind = ProfileKind::Cpu;
    bool full = false;
    std::string model{};      // measure what this model's graphs hold, or a saved inventory's
    std::string inventory{};  // at most one of the two
    std::string output{};
    int n_threads = 0;                    // of the CPU's ops
    std::vector<std::int64_t> batches{};  // these alone; empty: all
    std::string device{};                 // empty: the first GPU, if there is one
    bool list_devices = false;
    bool json = false;
    std::optional<Seconds> time_limit{};
    std::string command{};  // as it was given, for the profile's `source`
};

std::variant<ProfilerOptions, EarlyExit> read_profiler_options(ProfileKind kind,
                                                               int argc,
                                                               const char* const* argv);

}  // namespace pshard::tool
