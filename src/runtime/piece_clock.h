// Puts the pieces of graphs together, so that they tell a rate.
//
// llama.cpp hands over a graph in pieces where it computes something between them, or where a host
// looks at values on the way. The pieces of one graph write into different states, so one that
// writes into a state again begins the next graph:
//
//   piece   layers 0-3   layers 4-7   head | layers 0-3   ...
//           begins                         | begins the next: the graph before took until `head`
//           ended
//
// Traps: what writes into less than half of the states is no graph, but the drafting context, or a
// piece alone. The last graph of all has nobody who ends it, and is not told.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "runtime/rate_watch.h"

namespace pshard {

struct Piece {
    const void* owner = nullptr;  // its model
    std::size_t tier = 0;
    std::uint32_t n_tokens = 0;
    std::vector<int> states;  // that it writes into
};

class PieceClock {
public:
    using Time = std::chrono::steady_clock::time_point;

    // A piece begins. Returns what the graph before it took, if it is whole: it wrote into half of
    // the `n_states` or more, and all of it is done.
    std::optional<TimedPasses> begin(const Piece& piece, std::size_t n_states, Time now);

    // All that has begun is done.
    void end(Time now);

    // Something else is computed: the graph whose pieces came is not told.
    void drop() { first_.reset(); }

private:
    [[nodiscard]] bool continues(const Piece& piece) const;
    [[nodiscard]] std::optional<TimedPasses> taken(std::size_t n_states) const;

    std::optional<Piece> first_{};  // of the graph
    std::set<int> written_;
    Time begun_{};
    std::optional<Time> ended_{};  // nullopt: a piece still runs
};

}  // namespace pshard
