// Packs blocks that live for a while each into as few bytes as it can.
//
// In: sizes and lives on a clock of small integers. Out: an offset for each block, and the end of
// the highest. Blocks are placed from the largest to the smallest, equal ones in the order given.
// Each takes the lowest address where it is clear of all placed blocks that it meets in time:
//
//   offset  0         20   30         time
//   a       [==== 20 ====]            0..1     placed first
//   b                    [= 10 =]     0..2     meets a
//   c       [= 8 =]                   2..3     a is gone, b is not below 20: it takes 0
//
// Finding the neighbours is what costs. Two rules keep that near the number of pairs that meet:
//
// * The clock keeps only the ticks at which some block is born. Two blocks that meet share such a
//   tick, that of the younger one, so nobody is lost.
// * A block's neighbours are those that are alive at its birth, and those that are born in its
//   life after that. No block is both, so each is seen once, however long the two live together.
//
//   alive_  tick 0: a b     tick 1: a b     tick 2: b c       for each tick a list of placed blocks
//   born_   tick 0: a b                     tick 2: c         for each tick the blocks born then
//
// A block that lives long would stand in thousands of the lists alive_. There are few of those, and
// whoever wants to know whether one is alive asks it.
//
// Nor are neighbours sorted by address, which a block that lives long has thousands of: whoever is
// in the way of an address lifts it above itself, and once nobody is, that is the lowest gap. They
// are asked in the order in which they were placed, largest first and so mostly from below: a few
// rounds do. Where they do not, the rest is sorted.
//
// The result is within a few percent of the most bytes that live at once, below which no packing
// can go, on graphs of layers; interval_packing.h names the source. A free list as ggml's, which
// places in order of time, came out up to 15 % larger.
#include "plan/interval_packing.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <string_view>

#include "base/fingerprint.h"

namespace pshard {
namespace {

// After so many rounds the neighbours of a block are sorted, so that one more finds the gap.
constexpr int kRounds = 8;

// A block that is alive for more than 1 in so many ticks stands in no list of a tick.
constexpr int kLongLife = 4;

std::size_t at(int index) { return static_cast<std::size_t>(index); }

// Lists of blocks, one for each tick, in one vector: begin[t] .. begin[t] + size[t].
struct TickLists {
    std::vector<int> begin;
    std::vector<int> size;
    std::vector<int> blocks;

    // `room`: the most blocks of each list.
    explicit TickLists(const std::vector<int>& room) : begin(room.size() + 1), size(room.size()) {
        std::partial_sum(room.begin(), room.end(), begin.begin() + 1);
        blocks.resize(at(begin.back()));
    }

    void add(int tick, int block) { blocks[at(begin[at(tick)] + size[at(tick)]++)] = block; }
};

class Packing {
public:
    Packing(std::vector<Block>& blocks, int clock_end)
        : blocks_(blocks),
          lives_(lives_on_births(blocks, clock_end)),
          alive_(alive_at_births(lives_)),
          born_(born_at_births(lives_)),
          spans_(blocks.size()),
          above_(blocks.size() + 1) {
        for (int b = 0; b < static_cast<int>(blocks.size()); ++b) born_.add(life(b).birth, b);
    }

    Packed run() {
        Packed packed;
        for (const int b : largest_first()) {
            packed.looked_at += n_looked_at(b);
            place(b, lowest_gap(b));
            packed.end = std::max(packed.end, spans_[at(b)].end);
        }
        return packed;
    }

private:
    struct Span {
        Bytes begin = 0;
        Bytes end = 0;
    };

    // [birth, death] on the clock of births.
    struct Life {
        int birth;
        int death;

        bool holds(int tick) const { return birth <= tick && tick <= death; }
    };

    static std::vector<Life> lives_on_births(const std::vector<Block>& blocks, int clock_end) {
        // By tick: how many ticks up to it have a birth.
        std::vector<int> births(at(clock_end));
        for (const Block& b : blocks) births[at(b.birth)] = 1;
        std::partial_sum(births.begin(), births.end(), births.begin());
        std::vector<Life> lives;
        lives.reserve(blocks.size());
        for (const Block& b : blocks) {
            lives.push_back({births[at(b.birth)] - 1, births[at(b.death)] - 1});
        }
        return lives;
    }

    static std::size_t n_ticks(const std::vector<Life>& lives) {
        int last = -1;
        for (const Life& life : lives) last = std::max(last, life.birth);
        return at(last + 1);
    }

    static bool is_long(const Life& life, std::size_t n_ticks) {
        return at(life.death - life.birth) * kLongLife > n_ticks;
    }

    static TickLists alive_at_births(const std::vector<Life>& lives) {
        std::vector<int> change(n_ticks(lives) + 1);
        for (const Life& life : lives) {
            if (is_long(life, change.size() - 1)) continue;
            ++change[at(life.birth)];
            --change[at(life.death + 1)];
        }
        std::partial_sum(change.begin(), change.end(), change.begin());
        change.pop_back();
        return TickLists(change);
    }

    static TickLists born_at_births(const std::vector<Life>& lives) {
        std::vector<int> born(n_ticks(lives));
        for (const Life& life : lives) ++born[at(life.birth)];
        return TickLists(born);
    }

    Block& block(int b) { return blocks_[at(b)]; }

    const Life& life(int b) const { return lives_[at(b)]; }

    std::vector<int> largest_first() const {
        struct Sized {
            Bytes bytes;
            int block;
        };

        std::vector<Sized> sized;
        sized.reserve(blocks_.size());
        for (const Block& b : blocks_) sized.push_back({b.bytes, static_cast<int>(sized.size())});
        std::ranges::sort(sized, [](const Sized& a, const Sized& b) {
            return a.bytes != b.bytes ? a.bytes > b.bytes : a.block < b.block;
        });
        std::vector<int> order;
        order.reserve(sized.size());
        for (const Sized& each : sized) order.push_back(each.block);
        return order;
    }

    void place(int b, Bytes offset) {
        block(b).offset = offset;
        spans_[at(b)] = {offset, offset + block(b).bytes};
        if (is_long(life(b), alive_.size.size())) return long_.push_back(b);
        for (int t = life(b).birth; t <= life(b).death; ++t) alive_.add(t, b);
    }

    std::size_t n_looked_at(int b) const {
        const auto [birth, death] = life(b);
        const int born = born_.begin[at(death + 1)] - born_.begin[at(birth + 1)];
        return long_.size() + at(alive_.size[at(birth)] + born);
    }

    // Asks the placed blocks that b meets in time, each once: lifts `lowest` over those that are in
    // the way, and keeps in above_ those that stay above it. Most of a packing goes here, so that
    // there is no branch but the loop's.
    Bytes lifted_once(int b) {
        const Bytes bytes = block(b).bytes;
        Bytes lowest = 0;
        Span* above = above_.data();
        const auto ask = [&](int other) {
            const Span span = spans_[at(other)];
            const bool is_above = span.begin >= lowest + bytes;
            *above = span;
            above += is_above ? 1 : 0;
            lowest = std::max(lowest, is_above ? 0 : span.end);
        };
        const auto [birth, death] = life(b);
        for (const int other : long_) {
            if (life(other).holds(birth)) ask(other);
        }
        const int* alive = alive_.blocks.data() + alive_.begin[at(birth)];
        std::for_each(alive, alive + alive_.size[at(birth)], ask);
        const int* born = born_.blocks.data();
        std::for_each(born + born_.begin[at(birth + 1)], born + born_.begin[at(death + 1)], ask);
        n_above_ = static_cast<std::size_t>(above - above_.data());
        return lowest;
    }

    // Asks those in above_ again.
    void lift_again(Bytes& lowest, Bytes bytes) {
        std::size_t n_left = 0;
        for (std::size_t i = 0; i < n_above_; ++i) {
            const Span span = above_[i];
            if (span.end <= lowest) continue;
            if (span.begin >= lowest + bytes) {
                above_[n_left++] = span;
            } else {
                lowest = span.end;
            }
        }
        n_above_ = n_left;
    }

    Bytes lowest_gap(int b) {
        Bytes lowest = lifted_once(b);
        if (lowest == 0) return 0;
        for (int round = 1; round <= kRounds; ++round) {
            const Bytes before = lowest;
            if (round == kRounds) {
                std::ranges::sort(std::span(above_).first(n_above_), {}, &Span::begin);
            }
            lift_again(lowest, block(b).bytes);
            if (lowest == before) break;
        }
        return lowest;
    }

    std::vector<Block>& blocks_;
    std::vector<Life> lives_;  // by block
    std::vector<int> long_;    // the placed blocks that live long
    TickLists alive_;          // the other placed blocks that are alive at a tick
    TickLists born_;           // the blocks that are born at a tick, placed or not
    std::vector<Span> spans_;  // by block; empty at 0, in nobody's way, until it is placed
    std::vector<Span> above_;  // of the block that is placed now: the first n_above_, and room
    std::size_t n_above_ = 0;
};

}  // namespace

Packed pack_intervals(std::vector<Block>& blocks, int clock_end) {
    return Packing(blocks, clock_end).run();
}

Bytes PackingMemo::end_of(std::vector<Block> blocks, int clock_end) {
    static_assert(sizeof(Block) == 2 * sizeof(Bytes) + 2 * sizeof(int));  // no padding
    const std::string_view bytes(reinterpret_cast<const char*>(blocks.data()),
                                 blocks.size() * sizeof(Block));
    const std::uint64_t key = text_hash(bytes).value;
    {
        const std::lock_guard lock(mutex_);
        ++asked_;
        if (const auto known = ends_.find(key); known != ends_.end()) return known->second;
    }
    const Bytes end = pack_intervals(blocks, clock_end).end;
    const std::lock_guard lock(mutex_);
    return ends_.emplace(key, end).first->second;
}

PackingMemo::Counts PackingMemo::counts() const {
    const std::lock_guard lock(mutex_);
    return {asked_, ends_.size()};
}

}  // namespace pshard
