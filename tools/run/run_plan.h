// How to start the program: with what the plan assumes, or without PSHARD0 if stock is as good.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "run/options.h"
#include "run/profiles.h"
#include "run/program.h"
#include "run/surroundings.h"

namespace pshard::tool {

// Which weights stock llama.cpp keeps in host memory.
struct StockPlacement {
    int n_gpu_layers = 0;
    std::vector<std::string> cpu_patterns;
    bool op_offload = true;

    bool operator==(const StockPlacement&) const = default;
};

struct RunPlan {
    bool stock = false;                       // start the program without PSHARD0
    bool stock_is_faster = false;             // not only as good
    std::optional<StockPlacement> placement;  // stock's; nullopt: all of the model on the GPU
    std::string why;                          // where the plan comes from, or why stock runs
    std::uint32_t n_ctx = 0;                  // tokens; 0: as the model was trained, bench: its own
    std::uint32_t n_batch = 0;                // tokens; 0: the program's own default
    std::uint32_t n_ubatch = 0;
    std::uint32_t n_seq_max = 1;
    bool kv_unified = false;
    bool swa_full = false;
    std::string flash_attention = "auto";
    std::string type_k = "f16";
    std::string type_v = "f16";
    int n_threads = 0;
    std::uint64_t budget_mib = 0;  // 0 in stock
    std::string registry;
    std::string fingerprint;  // as PSHARD_FINGERPRINT: the plans of the registry that were checked
    std::vector<std::string> planning;  // the command that writes the plan; empty: it is written

    bool operator==(const RunPlan&) const = default;
};

struct PlanRequest {
    const RunOptions& options;
    const Surroundings& here;
    const HostProgram& program;
    const Profiles& profiles;
    int n_threads = 0;
};

// Fills in what the program and the backend's own variables (PSHARD_MAX_VRAM_ALLOC,
// PSHARD_REGISTRY) decide where no flag does. Fails on what the program cannot be given.
Status complete_options(const HostProgram& program,
                        const Variables& environment,
                        RunOptions& options);

// The planner's arguments for this run, with files by absolute paths.
Result<std::vector<std::string>> planner_arguments(const PlanRequest& request);

// Finds the plan in the registry that was made for these settings on this machine. nullopt: there
// is none. Fails if it was made for another machine: only --replan overwrites such a plan.
Result<std::optional<RunPlan>> plan_in_registry(const PlanRequest& request);

// The plan, or the exit code where there is none: then stderr has the reason.
struct RunDecision {
    int exit_code = 0;
    RunPlan plan;
};

// Plans as the planner's command line of this run would (planner_arguments()). Writes the registry,
// unless this is a dry run or stock is as good.
Result<RunDecision> plan_anew(const PlanRequest& request);

// The planner's program, for the command that a dry run prints.
std::string planner_of(const Surroundings& here);

// The model's registry: --registry, else beside the model.
std::string registry_of(const RunOptions& options);

}  // namespace pshard::tool
