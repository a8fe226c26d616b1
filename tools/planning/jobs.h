// Finds which contexts to plan: one, or with --bench-plan all that llama-bench would use.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "inventory/inventory.h"
#include "plan_flags/options.h"
#include "planner/workload.h"

namespace pshard::tool {

struct Job {
    ContextSpec context;            // n_ctx known, n_ubatch = n_batch = the largest tier
    std::uint32_t n_ctx_given = 0;  // as in the published fingerprint: 0 if left to the model
    std::vector<std::uint32_t> tiers;
    std::optional<std::uint32_t> named_ubatch{};  // the largest tier, if it stays whatever its rate
    std::uint32_t asked_ubatch = 0;               // the largest tier before cut_job(); 0: as it is
    std::vector<Hash64> smaller_states{};         // as in Planning
    std::optional<UbatchTime> fastest{};          // ubatch of all that a named one is held against
    std::string note{};  // how the largest tiers compare; empty: nobody asked
};

// Leaves the tiers above `largest` out, and makes it one, if there are any.
void cut_job(Job& job, std::uint32_t largest);

// What the flags say of the largest tier: -ub if it is given, else --pshard-tier-max; not above -b.
// nullopt: nothing.
std::optional<std::uint32_t> largest_given(const ContextOptions& options);

// Tells where -b bounds the ubatch.
std::optional<std::string> batch_note(const Options& options, const ContextSpec& context);

// The options without -ub: any ubatch that -b allows.
Options with_any_ubatch(Options options);

// Tells if a sequence may become longer than those that the model was trained with.
std::optional<std::string> context_note(const Inventory& inventory);

// Tells which weights the device cannot compute with, in the graph of the smallest batch.
std::optional<std::string> idle_note(const Inventory& inventory);

// Tells of caches that the device cannot compute attention over.
std::optional<std::string> idle_cache_note(const Inventory& inventory);

// The request that plans are weighed by where it matters: -p and -n, else half a sequence and 128
// tokens; of llama-bench the largest prompt. Fails on what is no number.
Result<Workload> workload_of(const Options& options, const ContextSpec& context);

// `n_ctx_train`: what -c 0 comes to; 0 if the model does not say.
Result<std::vector<Job>> make_jobs(const Options& options, std::uint32_t n_ctx_train);

// `base`, changed where the options say anything.
ContextSpec context_of(const Options& options, ContextSpec base);

}  // namespace pshard::tool
