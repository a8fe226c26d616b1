#include "plan/free_list.h"

#include <algorithm>

namespace pshard {

Bytes FreeList::take(Bytes bytes) {
    bytes = align_up(bytes, alignment_);
    std::size_t best = holes_.size();
    for (std::size_t i = 0; i < holes_.size(); ++i) {
        const Bytes size = holes_[i].end - holes_[i].begin;
        if (size < bytes) continue;
        if (best == holes_.size() || size < holes_[best].end - holes_[best].begin) best = i;
    }
    if (best != holes_.size()) return take_from(best, bytes);
    const Bytes offset = end_;
    end_ += bytes;
    peak_ = std::max(peak_, end_);
    return offset;
}

Bytes FreeList::take_from(std::size_t hole, Bytes bytes) {
    const Bytes offset = holes_[hole].begin;
    holes_[hole].begin += bytes;
    if (holes_[hole].begin == holes_[hole].end) {
        holes_.erase(holes_.begin() + static_cast<std::ptrdiff_t>(hole));
    }
    return offset;
}

void FreeList::give(Bytes offset, Bytes bytes) {
    Hole freed{offset, offset + align_up(bytes, alignment_)};
    if (freed.begin == freed.end) return;
    auto next = std::lower_bound(holes_.begin(), holes_.end(), freed.begin,
                                 [](const Hole& hole, Bytes begin) { return hole.begin < begin; });
    if (next != holes_.end() && next->begin == freed.end) {
        freed.end = next->end;
        next = holes_.erase(next);
    }
    if (next != holes_.begin() && std::prev(next)->end == freed.begin) {
        freed.begin = std::prev(next)->begin;
        next = holes_.erase(std::prev(next));
    }
    if (freed.end == end_) {
        end_ = freed.begin;
    } else {
        holes_.insert(next, freed);
    }
}

}  // namespace pshard
