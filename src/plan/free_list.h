// Free memory of a region without an end: best fit, lowest address first, neighbours merged.
#pragma once

#include <vector>

#include "base/units.h"

namespace pshard {

class FreeList {
public:
    explicit FreeList(Bytes alignment) : alignment_(alignment) {}

    // Offset of `bytes` (rounded up to the alignment). The smallest hole that holds them, else the
    // end of the region, which grows.
    Bytes take(Bytes bytes);

    // Gives back what take(bytes) gave at `offset`.
    void give(Bytes offset, Bytes bytes);

    // The highest end that was ever in use.
    Bytes peak() const { return peak_; }

private:
    struct Hole {
        Bytes begin = 0;
        Bytes end = 0;
    };

    Bytes take_from(std::size_t hole, Bytes bytes);

    Bytes alignment_;
    Bytes end_ = 0;   // of the last block in use
    Bytes peak_ = 0;
    std::vector<Hole> holes_;  // ascending, never adjacent, all before end_
};

}  // namespace pshard
