// The environment that steers libggml-pshard.so: read once, here and nowhere else.
//
//   PSHARD_DEVICE          inner GPU: a ggml device ("CUDA0"), or the path of a backend library
//                          that llama.cpp shall not see, as PATH or PATH:NAME; else the first GPU
//   PSHARD_MAX_VRAM_ALLOC  budget, MiB; 0 or unset: what is free, less a margin
//   PSHARD_REGISTRY        registry file; else the one beside the model file
//   PSHARD_FINGERPRINT     only the plans of these sections of the registry, FINGERPRINT or
//                          FINGERPRINT:CACHE_UBATCH or FINGERPRINT:CACHE_UBATCH:WEIGHTS, separated
//                          by ","; else all that match
//   PSHARD_PLAN            auto: plan here when the registry has no plan; off: refuse
//   PSHARD_CPU_PROFILE, PSHARD_GPU_PROFILE
//                          profiles to plan here with; else those of this machine in the working
//                          directory, else in $XDG_CACHE_HOME/pshard or ~/.cache/pshard
//   PSHARD_PAGE_LOCKS      host memory that may be page-locked for uploads, MiB; off: none; unset:
//                          80 % of what is available
//   PSHARD_TRACE           file for a trace of every pass (docs/formats/trace.md)
//   PSHARD_CHECK           1: every graph's plan is verified before it is run, and refused if a
//                          fault is found; 0 or unset: only the planner verifies what it writes
//   PSHARD_STRATEGY        for tests: forces strategies, "NAME_OR_ID[:N_PINNED[+slices]]",
//                          separated by ";"; "+slices": experts are uploaded once their ids are
//                          known
//   PSHARD_ROTATE          for tests: after so many graphs, plan again with the next strategy
//   PSHARD_CHAOS           for tests: "no-upload", "no-fence"
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "machine/profile_search.h"
#include "plan/choice.h"
#include "planner/registry_match.h"
#include "runtime/executor.h"

namespace pshard {

struct ForcedStrategy {
    Strategy strategy = Strategy::GpuOnlyLayerPinLayerStream;
    std::optional<int> n_pinned{};  // nullopt: as many as the budget holds
    bool slice_experts = false;

    bool operator==(const ForcedStrategy&) const = default;
};

struct PluginSettings {
    std::string device;
    std::optional<Bytes> budget{};
    std::string registry;
    std::vector<PlanName> plans;  // empty: any that matches
    bool plan_here = true;
    ProfilePlaces profiles{};
    std::optional<Bytes> page_locks{};  // nullopt: what the host has
    std::string trace;
    bool check = false;
    std::vector<ForcedStrategy> forced;
    int replan_every = 0;
    Chaos chaos;
};

// Fails on a value that means nothing, and names the variable.
Result<PluginSettings> read_settings();

}  // namespace pshard
