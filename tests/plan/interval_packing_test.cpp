#include "plan/interval_packing.h"

#include <random>

#include "support/testing.h"

namespace pshard {
namespace {

Block block(Bytes bytes, int birth, int death) { return {bytes, birth, death, 0}; }

//   bytes 0         10        20        30
//   t 0   [a 20              ][b 10   ]
//   t 1   [c 10   ]           [b 10   ]      a is gone
TEST(PackIntervals, LaysTheLargestLowest) {
    std::vector<Block> blocks = {block(10, 1, 1), block(10, 0, 1), block(20, 0, 0)};
    EXPECT_EQ(pack_intervals(blocks, 2).end, 30u);
    EXPECT_EQ(blocks[2].offset, 0u);
    EXPECT_EQ(blocks[0].offset, 0u);
    EXPECT_EQ(blocks[1].offset, 20u);
}

TEST(PackIntervals, UsesAGapBetweenNeighbours) {
    //   t 0   [a 30      ][b 20   ]
    //   t 1   [d 8 ]      [b 20   ][c 12]      c does not fit below b only if d were there first
    std::vector<Block> blocks = {block(30, 0, 0), block(20, 0, 1), block(12, 1, 1), block(8, 1, 1)};
    EXPECT_EQ(pack_intervals(blocks, 2).end, 50u);
    EXPECT_EQ(blocks[1].offset, 30u);
    EXPECT_EQ(blocks[2].offset, 0u);
    EXPECT_EQ(blocks[3].offset, 12u);
}

bool meet(const Block& a, const Block& b) { return a.birth <= b.death && b.birth <= a.death; }

bool overlap(const Block& a, const Block& b) {
    return meet(a, b) && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
}

// The lowest address at which `block` is clear of all `placed`: address 0, or the end of one.
Bytes lowest_clear(Block block, const std::vector<Block>& placed) {
    std::vector<Bytes> ends = {0};
    for (const Block& other : placed) ends.push_back(other.offset + other.bytes);
    std::sort(ends.begin(), ends.end());
    return *std::find_if(ends.begin(), ends.end(), [&](Bytes end) {
        block.offset = end;
        return std::none_of(placed.begin(), placed.end(), [&](const Block& other) {
            return overlap(block, other);
        });
    });
}

// Each block from the largest down at the lowest clear address, found by trying them all.
std::vector<Block> packed_by_trying(std::vector<Block> blocks) {
    std::vector<Block*> order;
    for (Block& made : blocks) order.push_back(&made);
    std::stable_sort(order.begin(), order.end(), [](const Block* a, const Block* b) {
        return a->bytes > b->bytes;
    });
    std::vector<Block> placed;
    for (Block* next : order) {
        next->offset = lowest_clear(*next, placed);
        placed.push_back(*next);
    }
    return blocks;
}

std::size_t pairs_that_meet(const std::vector<Block>& blocks) {
    std::size_t pairs = 0;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) pairs += meet(blocks[i], blocks[j]) ? 1 : 0;
    }
    return pairs;
}

TEST(PackIntervals, PlacesAsTryingEachAddressDoes) {
    std::mt19937_64 engine(5);
    const auto below = [&](int n) { return int(engine() % unsigned(n)); };
    for (int round = 0; round < 500; ++round) {
        const int clock_end = 1 + below(60);
        std::vector<Block> blocks(std::size_t(1 + below(40)));
        for (Block& made : blocks) {
            const int birth = below(clock_end);
            const int death = birth + below(clock_end - birth);
            made = block(Bytes(1 + below(round % 2 == 0 ? 4 : 50)), birth, death);
        }
        const std::vector<Block> expected = packed_by_trying(blocks);
        const Packed packed = pack_intervals(blocks, clock_end);
        ASSERT_EQ(blocks, expected) << round;
        Bytes highest = 0;
        for (const Block& placed : blocks)
            highest = std::max(highest, placed.offset + placed.bytes);
        EXPECT_EQ(packed.end, highest);
        EXPECT_GE(packed.looked_at, pairs_that_meet(blocks));
    }
}

// A graph of n nodes that each live to the next one, and 50 inputs that live to the end: each
// node meets 50 inputs and 2 nodes. Pairs: 50 n with inputs, 50 * 49 / 2 among them, n - 1 of
// nodes. Of a pair of which the later one is placed first, the earlier one looks; else both do.
TEST(PackIntervals, LooksAtAPairOnceHoweverLongItLives) {
    constexpr int kInputs = 50;
    for (const int n : {1000, 4000}) {
        std::vector<Block> blocks;
        for (int i = 0; i < kInputs; ++i) blocks.push_back(block(8, 0, n - 1));
        for (int t = 0; t < n; ++t) {
            blocks.push_back(block(Bytes(1 + t % 9), t, std::min(t + 1, n - 1)));
        }
        const auto pairs = std::size_t(kInputs * n + kInputs * 49 / 2 + n - 1);
        const std::size_t looked_at = pack_intervals(blocks, n).looked_at;
        EXPECT_GE(looked_at, pairs);
        EXPECT_LE(looked_at, 2 * pairs);
    }
}

TEST(PackingMemo, PacksTheSameBlocksOnce) {
    PackingMemo memo;
    const std::vector<Block> blocks = {block(10, 1, 1), block(10, 0, 1), block(20, 0, 0)};
    EXPECT_EQ(memo.end_of(blocks, 2), 30u);
    EXPECT_EQ(memo.end_of(blocks, 2), 30u);
    EXPECT_EQ(memo.counts().asked, 2u);
    EXPECT_EQ(memo.counts().made, 1u);
    // The same sizes in other lives are another packing: two of 10 over 20.
    EXPECT_EQ(memo.end_of({block(10, 1, 1), block(10, 1, 1), block(20, 0, 0)}, 2), 20u);
    EXPECT_EQ(memo.counts().made, 2u);
}

}  // namespace
}  // namespace pshard
