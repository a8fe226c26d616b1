// What a run is for, and what that sets where the user says nothing.
//
//   goal    slots  largest tier  depth of a sequence  prompt, answer
//   chat    1      2048          a quarter            512, 256
//   agent   1      16384         three quarters       8192, 256
//   batch   8      16384         a quarter            512, 128
//   bench   1      16384         empty                512, 128
//
// A tier has its own plan, so prompts and answers weigh against each other only where one placement
// serves both: in stock llama.cpp, which the plan is held against.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plan_flags/options.h"
#include "planner/workload.h"

namespace pshard::tool {

enum class Goal : std::uint8_t { Chat, Agent, Batch, Bench };

// nullopt: no such goal.
std::optional<Goal> goal_of(std::string_view word);

// The request that plans are weighed by. `n_ctx`: tokens of a sequence, 0 if not known; no prompt
// is longer than them. Without a goal prompts are as usual (planner/workload.h). One sequence.
Workload workload_of(std::optional<Goal> goal, std::uint32_t n_ctx);

// The planner's arguments that a goal adds to what `given` holds; flags of the user's stay.
std::vector<std::string> goal_arguments(Goal goal, const Options& given);

}  // namespace pshard::tool
