#include "plan/interval_packing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace pshard {
namespace {

Block block(Bytes bytes, int birth, int death) { return {bytes, birth, death, 0}; }

//   bytes 0         10        20        30
//   t 0   [a 20              ][b 10   ]
//   t 1   [c 10   ]           [b 10   ]      a is gone
TEST(PackIntervals, LaysTheLargestLowest) {
    std::vector<Block> blocks = {block(10, 1, 1), block(10, 0, 1), block(20, 0, 0)};
    EXPECT_EQ(pack_intervals(blocks, 2), 30u);
    EXPECT_EQ(blocks[2].offset, 0u);
    EXPECT_EQ(blocks[0].offset, 0u);
    EXPECT_EQ(blocks[1].offset, 20u);
}

TEST(PackIntervals, UsesAGapBetweenNeighbours) {
    //   t 0   [a 30      ][b 20   ]
    //   t 1   [d 8 ]      [b 20   ][c 12]      c does not fit below b only if d were there first
    std::vector<Block> blocks = {block(30, 0, 0), block(20, 0, 1), block(12, 1, 1), block(8, 1, 1)};
    EXPECT_EQ(pack_intervals(blocks, 2), 50u);
    EXPECT_EQ(blocks[1].offset, 30u);
    EXPECT_EQ(blocks[2].offset, 0u);
    EXPECT_EQ(blocks[3].offset, 12u);
}

bool overlap(const Block& a, const Block& b) {
    const bool in_time = a.birth <= b.death && b.birth <= a.death;
    return in_time && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
}

Bytes most_at_once(const std::vector<Block>& blocks, int clock_end) {
    Bytes most = 0;
    for (int t = 0; t < clock_end; t++) {
        Bytes now = 0;
        for (const Block& block : blocks)
            now += block.birth <= t && t <= block.death ? block.bytes : 0;
        most = std::max(most, now);
    }
    return most;
}

TEST(PackIntervals, NeverOverlapsAndStaysAboveTheBound) {
    constexpr int kClockEnd = 20;
    std::mt19937_64 engine(5);
    const auto below = [&](int n) { return static_cast<int>(engine() % static_cast<unsigned>(n)); };
    for (int round = 0; round < 500; round++) {
        std::vector<Block> blocks(static_cast<std::size_t>(1 + below(40)));
        for (Block& made : blocks) {
            const int birth = below(kClockEnd);
            made =
                block(static_cast<Bytes>(1 + below(50)), birth, birth + below(kClockEnd - birth));
        }
        const Bytes end = pack_intervals(blocks, kClockEnd);
        EXPECT_GE(end, most_at_once(blocks, kClockEnd));
        Bytes highest = 0;
        for (std::size_t i = 0; i < blocks.size(); i++) {
            highest = std::max(highest, blocks[i].offset + blocks[i].bytes);
            for (std::size_t j = 0; j < i; j++)
                ASSERT_FALSE(overlap(blocks[i], blocks[j])) << round;
        }
        EXPECT_EQ(highest, end);
    }
}

}  // namespace
}  // namespace pshard
