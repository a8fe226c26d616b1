// Addresses for blocks that live for a while each: those that live at the same time do not overlap.
//
// Largest block first, at the lowest address where it is clear of all placed blocks that it meets
// in time: the "greedy by size" of Pisarchyk and Lee, "Efficient memory management for deep neural
// net inference" (arXiv 2001.03288), which on chains of layers comes within a few percent of the
// most bytes that live at once, the bound below which no packing can go.
#pragma once

#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/units.h"

namespace pshard {

struct Block {
    Bytes bytes = 0;  // a multiple of the alignment
    int birth = 0;    // lives in [birth, death] on a clock of small integers
    int death = 0;
    Bytes offset = 0;

    bool operator==(const Block&) const = default;
};

struct Packed {
    Bytes end = 0;              // of the highest block
    std::size_t looked_at = 0;  // neighbours, in all: what the packing cost

    bool operator==(const Packed&) const = default;
};

// Sets the offset of every block. Its cost grows with the pairs of blocks that meet in time: each
// is looked at once or twice, however long the two live together.
Packed pack_intervals(std::vector<Block>& blocks, int clock_end);

// The ends of packings, kept by the blocks: a search packs the same blocks many times, since most
// choices differ in what they pin and not in what they compute. Serves several threads.
class PackingMemo {
public:
    // What pack_intervals() gives as the end; sets no offset.
    Bytes end_of(std::vector<Block> blocks, int clock_end);

    // How many packings were asked for, and how many were made.
    struct Counts {
        std::size_t asked = 0;
        std::size_t made = 0;
    };

    Counts counts() const;

private:
    mutable std::mutex mutex_;
    std::unordered_map<std::uint64_t, Bytes> ends_;  // by the hash of the blocks
    std::size_t asked_ = 0;
};

}  // namespace pshard
