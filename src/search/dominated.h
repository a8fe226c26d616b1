// Which tiers are not worth a plan.
//
// A program cuts a prompt into ubatches of the size that it is told. A tier of T tokens is
// therefore dominated if k = T/t batches of a smaller tier, one after the other, are faster: then
// nobody should run such ubatches. The first of them runs behind as many tokens as the larger batch
// is priced for, each other one behind those before it (plan/pass_times.h):
//
//   tier   t/s     seconds
//     16    17      0.9
//    512   498      1.0
//   1024   555      1.8
//   2048     5     410      dominated: 4 batches of 512 take 1.0 + 1.1 + 1.2 + 1.3 s
//
// Traps: only prompts are cut. A batch of fewer than 512 tokens comes as it is, one token or a few
// of each sequence, so those tiers stay. A tier without a plan is dominated by any that has one.
// Without a profile nothing has a rate, and only tiers without a plan go. A batch that does not fit
// behind the depth of the plan is priced behind fewer tokens, where every batch is faster. Rates of
// tables do not tell: they are all behind one depth.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "search/tier_search.h"

namespace pshard {

// Whether batches of `small`, one after the other, are faster than one of `large`.
bool is_faster(const TierPlan& small, const TierPlan& large);

// Takes the dominated tiers out of `tiers`, which ascend, and returns them. `named`: the ubatch
// that prompts are cut to, which stays, whatever its rate; a shorter prompt is one batch then, so
// that the tiers below it stay as well, if they have a plan. nullopt: none.
std::vector<TierPlan> take_dominated(std::vector<TierPlan>& tiers,
                                     std::optional<std::uint32_t> named);

}  // namespace pshard
