// --emit-args: the best static plan, as flags for today's stock llama-server.
#pragma once

#include "base/result.h"
#include "plan_params/planner.h"
#include "planning/jobs.h"
#include "planning/machine.h"

namespace pshard::tool {

// Prints "-ngl 43 -ot ^blk[.]37[.]ffn_up[.]weight$=CPU -c 8192 ..." on one line; nothing in it
// needs quotes. -o json adds what the flags come to (docs/cli/llama-pshard-plan-params.md).
// Declines if no static plan fits.
Result<Outcome> emit_args(const Options& options, const Machine& machine, const Job& job);

}  // namespace pshard::tool
