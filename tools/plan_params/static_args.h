// The best static plan, as flags for today's stock llama-server.
//
// Stock has one placement for all batches and one ubatch. For each ubatch the model is captured
// anew (its size decides the KV cache of sliding windows) and every static plan that -ngl and -ot
// can say is priced, with and without op-offload:
//
//   seconds = prompt/ubatch passes of a ubatch + answer passes of one token,
//   prompt  = -p, else half the context, at most 4096 tokens, at least 512 where the context holds
//             them; answer = -n, else 128 tokens
//
// With several sequences (-np) all have such a prompt, and the passes of the answer are of the
// smallest tier that holds a token of each.
#pragma once

#include <string>

#include "base/result.h"
#include "plan_params/planner.h"

namespace pshard::tool {

struct Job;
struct Machine;

// "-ngl 43 -ot ^blk[.]37[.]ffn_up[.]weight$=CPU -c 8192 ..." on one line; nothing in it needs
// quotes. With -o json what is behind them (docs/cli/llama-pshard-plan-params.md). Declines where
// no static plan fits.
Result<Outcome> plan_static(const Options& options, const Machine& machine, const Job& job);

}  // namespace pshard::tool
