// Which copies of the link bring pieces of host memory into a slot of device memory, or back.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "base/units.h"

namespace pshard {

// Bytes that lie at one place of a slot and at one in host memory.
struct SlotPiece {
    Bytes offset = 0;  // in the slot
    Bytes bytes = 0;
    std::byte* host = nullptr;  // nullptr: zeroes

    [[nodiscard]] Bytes end() const { return offset + bytes; }

    bool operator==(const SlotPiece&) const = default;
};

// Puts pieces into the order that they have in the slot, as all that follows wants them.
void sort_pieces(std::vector<SlotPiece>& pieces);

// One run of a slot, and the pieces that it is made of.
struct SlotCopy {
    Bytes offset = 0;
    Bytes bytes = 0;
    const std::byte* host = nullptr;  // the device reads it there; nullptr: it is gathered
    std::size_t first = 0;            // [first, last) of the pieces
    std::size_t last = 0;

    [[nodiscard]] Bytes end() const { return offset + bytes; }

    bool operator==(const SlotCopy&) const = default;
};

// What the copies may rely on.
struct CopyRules {
    // Where the device can copy all of these bytes from, which are then readable; nullptr: nowhere.
    std::function<const std::byte*(const std::byte*, Bytes)> locked_at;
    bool gathers = true;  // false: there is nothing to gather in, and the device reads every piece
};

// The uploads that bring all pieces; bytes of the slot between them may be overwritten with
// zeroes, or with what lies between them in host memory.
std::vector<SlotCopy> join_uploads(const std::vector<SlotPiece>& pieces, const CopyRules& rules);

// The downloads that bring all pieces; what comes with them is thrown away.
std::vector<SlotCopy> join_downloads(const std::vector<SlotPiece>& pieces, bool gathers);

}  // namespace pshard
