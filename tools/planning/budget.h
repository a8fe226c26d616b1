// How much of the GPU the plan may take.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "base/result.h"
#include "plan_flags/options.h"
#include "planner/planning.h"
#include "planning/machine.h"

namespace pshard::tool {

// A request that is understood and declined: exit code 2.
struct Refusal {
    std::string reason;
};

// What -mva comes to: no more than the driver leaves of a device whose memory is known.
struct GivenBudget {
    std::uint64_t mib = 0;
    std::string why_lowered;  // empty: it is as given
};

Result<GivenBudget> given_budget(const Options& options,
                                 const std::optional<MachineProfile>& profile);

// A hash of what takes part of the budget besides the plan, by its flags and the headers of its
// files; nullopt: nothing does. Fails on a file that is no GGUF.
Result<std::optional<Hash64>> sharers_hash(const Options& options);

// Tells if the budget is less than -mva.
std::optional<std::string> budget_note(const Options& options, const BudgetUse& use);

// What drafts takes of the device beside a model in that context; 0: nothing drafts.
Result<Bytes> drafting_bytes(const Options& options, const ContextSpec& context);

// Finds the total alone: given_budget(), else device memory - driver's overhead - fit target.
Result<std::variant<BudgetUse, Refusal>> total_budget(const Options& options,
                                                      const Machine& machine);

// Finds the total (total_budget()) and what the draft model, the projector and the reserve take of
// it. `context`: of the target model; the draft model gets the same. Declines where no budget is
// known, or nothing is left of it.
Result<std::variant<BudgetUse, Refusal>> budget_use(const Options& options,
                                                    const Machine& machine,
                                                    const ContextSpec& context);

}  // namespace pshard::tool
