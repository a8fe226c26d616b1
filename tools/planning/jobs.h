// Finds which contexts to plan: one, or with --bench-plan all that llama-bench would use.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "inventory/inventory.h"
#include "plan_flags/options.h"

namespace pshard::tool {

struct Job {
    ContextSpec context;            // n_ctx known, n_ubatch = n_batch = the largest tier
    std::uint32_t n_ctx_given = 0;  // as in the published fingerprint: 0 if left to the model
    std::vector<std::uint32_t> tiers;
};

// Tells if a sequence may become longer than those that the model was trained with.
std::optional<std::string> context_note(const Inventory& inventory);

// Tells which weights the device cannot compute with, in the graph of the smallest batch.
std::optional<std::string> idle_note(const Inventory& inventory);

// `n_ctx_train`: what -c 0 comes to; 0 if the model does not say.
Result<std::vector<Job>> make_jobs(const Options& options, std::uint32_t n_ctx_train);

// `base`, changed where the options say anything.
ContextSpec context_of(const Options& options, ContextSpec base);

}  // namespace pshard::tool
