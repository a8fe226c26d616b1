// A server that is asked the same again and again: it must say the same, and not grow.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "backend/harness/server.h"

namespace pshard::backend_test {

// What a server's process holds.
struct Footprint {
    double resident_mib = 0;
    int n_descriptors = 0;
};

struct Soak {
    int n_rounds = 0;
    int n_requests = 0;                   // that were answered
    int n_hung_up = 0;                    // whose client went away
    Talk said{};                          // in the first round
    int n_different = 0;                  // rounds that said something else
    std::string difference{};             // the first line that was another, twice
    std::vector<Footprint> footprints{};  // behind each round

    // By how much the process grew from the second quarter of the rounds to the last: medians, as
    // an allocator keeps now more, now less. 0 for fewer than 16 rounds: in the first five the
    // allocators take what they keep, in stock too.
    [[nodiscard]] double grown_mib() const;

    // Descriptors that the first round had not.
    [[nodiscard]] int more_descriptors() const;

    [[nodiscard]] std::string text() const;
};

// The flags of a server to be soaked: four slots whose contexts are shifted, and no cache of
// prompts, which would grow.
std::vector<std::string> soaked_flags();

// In each round four clients hang up, two of them at once and two in the middle of an answer; then
// all slots are emptied, talk() is held, with a slot saved and restored, all slots are emptied
// again, and endless_talk() shifts the contexts. Rounds follow each other while `goes_on` is told
// the number of those that are done and says so.
Result<Soak> soak(Server& server, const std::function<bool(int n_rounds)>& goes_on);

}  // namespace pshard::backend_test
