// What the passes of a model reach, beside what was predicted: one line for the user.
//
// A pass in a tier is predicted to take tier tokens / rate, however few tokens its batch has. So a
// batch of 100 tokens in the tier of 512 is held against 100 tokens in that time: it may be faster,
// never slower. The very first pass reads the model's file: llama.cpp runs it to warm up, and it
// never counts. The first pass of a tier fills caches; it counts only where there is no other.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/units.h"
#include "inventory/tier_key.h"

namespace pshard {

// Tokens per second of a full batch; 0: not predicted.
struct ExpectedRate {
    double empty = 0;  // with an empty cache
    double full = 0;   // with a full one; 0: as with an empty one

    bool operator==(const ExpectedRate&) const = default;
};

// Passes of one tier that ran one after the other.
struct TimedPasses {
    std::size_t tier = 0;
    std::uint32_t n_passes = 0;
    std::uint32_t n_tokens = 0;  // of all together
    Seconds seconds = 0;
};

class RateWatch {
public:
    struct Tier {
        TierKey key;
        ExpectedRate expected;
    };

    explicit RateWatch(const std::vector<Tier>& tiers);

    void add(const TimedPasses& passes);

    // The line, once: after 64 tokens in the smallest tier, or at the end. Empty: there is none.
    [[nodiscard]] std::string news(bool at_end);

private:
    struct Tally {
        Tier tier;
        TimedPasses first{};  // the passes that came first
        TimedPasses rest{};

        [[nodiscard]] const TimedPasses& counted() const {
            return rest.n_passes > 0 ? rest : first;
        }
    };

    std::vector<Tally> tallies_;
    bool begun_ = false;
    bool told_ = false;
};

}  // namespace pshard
