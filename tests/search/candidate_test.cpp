// Which of two candidates is preferred.
#include "search/candidate.h"

#include <vector>

#include <gtest/gtest.h>

namespace pshard {
namespace {

Candidate with(PlanChoice choice, Bytes device_bytes = 100) {
    Candidate candidate;
    candidate.choice = choice;
    candidate.memory.device.weights = device_bytes;
    return candidate;
}

PlanChoice pins(int n_layers, int n_attn = 0, Overflow overflow = Overflow::None) {
    PlanChoice choice;
    choice.n_pinned = n_layers;
    choice.n_attn_pinned = n_attn;
    choice.overflow = overflow;
    return choice;
}

Candidate at(double tokens_per_second) {
    Candidate candidate = with(pins(0));
    candidate.prediction = Prediction{1, tokens_per_second, 0, BoundBy::Link, false};
    return candidate;
}

// Each is preferred for one reason to the one behind it, although that one is ahead in all that is
// asked later.
const std::vector<Candidate>& best_first() {
    static const std::vector<Candidate> candidates = {at(20),
                                                      at(10),
                                                      with(pins(3, 0)),
                                                      with(pins(2, 5), 50),
                                                      with(pins(2, 4, Overflow::Gate)),
                                                      with(pins(2, 4, Overflow::Up), 50),
                                                      with(pins(2, 4, Overflow::Up), 60)};
    return candidates;
}

TEST(Better, AsksOneThingAfterTheOther) {
    const std::vector<Candidate>& candidates = best_first();
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        for (std::size_t j = 0; j < candidates.size(); ++j) {
            EXPECT_EQ(better(candidates[i], candidates[j]), i < j) << i << " and " << j;
        }
    }
}

TEST(Better, TakesWhatFitsBeforeWhatIsFast) {
    Candidate too_large = at(1000);
    too_large.verdict = Verdict::OverBudget;
    const Candidate fits = with(pins(0));
    EXPECT_TRUE(better(fits, too_large));
    EXPECT_FALSE(better(too_large, fits));
}

}  // namespace
}  // namespace pshard
