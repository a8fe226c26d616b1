// What is known of each byte of a memory: ranges with what last touched them.
//
//   [begin          )[               )[        )      ranges of one history each; between them,
//   written by 1:7   written by 1:7   unwritten       memory that nobody has
//   read by 2:3
#pragma once

#include <cstdint>
#include <map>
#include <vector>

namespace pshard::simgpu {

struct Range {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
};

// An operation that touched memory: the `tick`th of its actor. Tick 0: none.
struct Mark {
    std::uint32_t actor = 0;
    std::uint32_t label = 0;
    std::uint64_t tick = 0;

    bool operator==(const Mark&) const = default;
};

struct Segment {
    std::uintptr_t end = 0;
    bool written = false;
    Mark write{};
    std::vector<Mark> reads{};  // since the write, one for each actor at most

    [[nodiscard]] bool same_history(const Segment& other) const {
        return written == other.written && write == other.write && reads == other.reads;
    }
};

class SegmentMap {
public:
    using Map = std::map<std::uintptr_t, Segment>;

    // Begins a history; what was known of these bytes is forgotten.
    void put(Range range, Segment segment);
    void forget(Range range);

    // Fills the holes of the range with new segments.
    void fill_holes(Range range, bool written);

    // The segments that make up the range, cut at its ends. Holes are left out.
    struct Span {
        Map::iterator first;
        Map::iterator last;
    };

    Span cut(Range range);

    // Drops the marks that `is_past` says no later operation can collide with, and joins neighbours
    // whose histories are the same then. Does so only where the map has grown since the last time.
    template <typename IsPast>
    void tidy(const IsPast& is_past) {
        if (segments_.size() < tidy_above_) return;
        for (auto& [begin, segment] : segments_) {
            if (segment.write.tick != 0 && is_past(segment.write)) segment.write = {};
            std::erase_if(segment.reads, is_past);
        }
        join_neighbours();
        tidy_above_ = 2 * segments_.size() + kTidyFrom;
    }

    [[nodiscard]] std::size_t size() const { return segments_.size(); }

private:
    static constexpr std::size_t kTidyFrom = 256;

    void cut_at(std::uintptr_t at);
    void join_neighbours();

    Map segments_;
    std::size_t tidy_above_ = kTidyFrom;
};

}  // namespace pshard::simgpu
