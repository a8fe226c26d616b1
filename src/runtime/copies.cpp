// Joins pieces that are neighbours in a slot into few copies: a copy costs the driver as much time
// as the link takes for some 64 KiB.
//
// In: pieces, ascending in the slot. Out: copies, ascending too. There are two kinds.
//
//   direct      the device reads the host's memory from where it lies. Pieces join where they are
//               as far from each other there as in the slot
//
//       host    [  w0  ][w1 ][   w2   |000]          a file, or memory that is laid out as slots
//       are slot    [  w0  ][w1 ][   w2   |000]          one copy
//
//   gathered    the host copies the pieces into page-locked memory first, as they are to lie in the
//               slot. Small gaps become zeroes
//
//       host    [w1 ] ... [  w0  ] ... [ k ]
//       memory  [  w0  |000][w1 ][ k  ]              one copy
//
// What lies in reach goes directly, unless it is so small that to copy it costs the host less than
// one more copy costs the driver.
//
// The trap: kernels read past the rows of a quantized weight, and what lies there must be numbers:
// a piece of zeroes says so. A direct copy goes on across such a piece only where the host's memory
// has zeroes as well, which is looked at each time: a file has other tensors there.
#include "runtime/copies.h"

#include <algorithm>

#include "runtime/padding.h"

namespace pshard {
namespace {

// So many bytes cross the link in the time of one copy more.
constexpr Bytes kWorthACopy = 64 * kKiB;

// The host copies fewer bytes in less time than it takes to issue one copy more.
constexpr Bytes kSmall = 256 * kKiB;

bool are_zero(const std::byte* data, Bytes bytes) {
    return std::all_of(data, data + bytes, [](std::byte byte) { return byte == std::byte{0}; });
}

class UploadJoiner {
public:
    UploadJoiner(const std::vector<SlotPiece>& pieces, const CopyRules& rules)
        : pieces_(pieces), rules_(rules) {}

    std::vector<SlotCopy> run() {
        for (std::size_t i = 0; i < pieces_.size();) {
            const SlotCopy direct = direct_from(i);
            const bool goes_directly =
                direct.host != nullptr && (!rules_.gathers || direct.bytes >= kSmall);
            if (goes_directly) {
                copies_.push_back(direct);
            } else {
                gather(i, direct.last);
            }
            i = direct.last;
        }
        return std::move(copies_);
    }

private:
    // The longest direct copy that begins with the piece; no host: there is none.
    SlotCopy direct_from(std::size_t first) const {
        const SlotPiece& piece = pieces_[first];
        SlotCopy copy{piece.offset, piece.bytes, place_of(piece), first, first + 1};
        while (copy.host != nullptr && copy.last < pieces_.size() &&
               goes_on(piece, copy, pieces_[copy.last])) {
            copy.bytes = pieces_[copy.last++].end() - copy.offset;
        }
        return copy;
    }

    const std::byte* place_of(const SlotPiece& piece) const {
        if (piece.host == nullptr) return rules_.gathers ? nullptr : kZeroes.data();
        return rules_.gathers ? rules_.locked_at(piece.host, piece.bytes) : piece.host;
    }

    bool goes_on(const SlotPiece& piece, const SlotCopy& copy, const SlotPiece& next) const {
        const Bytes way = next.offset - copy.offset;
        if (next.host != nullptr && next.host != piece.host + way) return false;
        const Bytes gap = next.offset - copy.end();
        if (!rules_.gathers) return gap == 0 && piece.host != nullptr && next.host != nullptr;
        if (gap > kWorthACopy) return false;
        if (rules_.locked_at(piece.host, way + next.bytes) != copy.host) return false;
        return next.host != nullptr || are_zero(copy.host + way, next.bytes);
    }

    void gather(std::size_t first, std::size_t last) {
        const bool joins = !copies_.empty() && copies_.back().host == nullptr &&
                           pieces_[first].offset - copies_.back().end() <= kWorthACopy;
        if (!joins) copies_.push_back({pieces_[first].offset, 0, nullptr, first, last});
        SlotCopy& copy = copies_.back();
        copy.last = last;
        copy.bytes = pieces_[last - 1].end() - copy.offset;
    }

    const std::vector<SlotPiece>& pieces_;
    const CopyRules& rules_;
    std::vector<SlotCopy> copies_;
};

}  // namespace

void sort_pieces(std::vector<SlotPiece>& pieces) {
    std::stable_sort(pieces.begin(), pieces.end(), [](const SlotPiece& a, const SlotPiece& b) {
        return a.offset < b.offset;
    });
}

std::vector<SlotCopy> join_uploads(const std::vector<SlotPiece>& pieces, const CopyRules& rules) {
    return UploadJoiner(pieces, rules).run();
}

std::vector<SlotCopy> join_downloads(const std::vector<SlotPiece>& pieces, bool gathers) {
    std::vector<SlotCopy> copies;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        const SlotPiece& piece = pieces[i];
        const bool joins =
            gathers && !copies.empty() && piece.offset <= copies.back().end() + kWorthACopy;
        if (!joins) copies.push_back({piece.offset, 0, gathers ? nullptr : piece.host, i, i});
        copies.back().last = i + 1;
        copies.back().bytes = std::max(copies.back().end(), piece.end()) - copies.back().offset;
    }
    return copies;
}

}  // namespace pshard
