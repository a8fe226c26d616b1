#include "simgpu/segment_map.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace pshard::simgpu {

void SegmentMap::cut_at(std::uintptr_t at) {
    const auto after = segments_.upper_bound(at);
    if (after == segments_.begin()) return;
    auto& [begin, segment] = *std::prev(after);
    if (begin == at || segment.end <= at) return;
    Segment rest = segment;
    segment.end = at;
    segments_.emplace_hint(after, at, std::move(rest));
}

SegmentMap::Span SegmentMap::cut(Range range) {
    cut_at(range.begin);
    cut_at(range.end);
    return {segments_.lower_bound(range.begin), segments_.lower_bound(range.end)};
}

void SegmentMap::forget(Range range) {
    const Span span = cut(range);
    segments_.erase(span.first, span.last);
}

void SegmentMap::put(Range range, Segment segment) {
    if (range.begin >= range.end) return;
    forget(range);
    segment.end = range.end;
    segments_[range.begin] = std::move(segment);
}

void SegmentMap::fill_holes(Range range, bool written) {
    const Span span = cut(range);
    std::vector<Range> holes;
    std::uintptr_t at = range.begin;
    for (auto it = span.first; it != span.last; ++it) {
        if (at < it->first) holes.push_back({at, it->first});
        at = it->second.end;
    }
    if (at < range.end) holes.push_back({at, range.end});
    for (const Range& hole : holes) segments_[hole.begin] = {hole.end, written, {}, {}};
}

void SegmentMap::join_neighbours() {
    for (auto it = segments_.begin(); it != segments_.end();) {
        const auto next = std::next(it);
        if (next != segments_.end() && it->second.end == next->first &&
            it->second.same_history(next->second)) {
            it->second.end = next->second.end;
            segments_.erase(next);
        } else {
            it = next;
        }
    }
}

}  // namespace pshard::simgpu
