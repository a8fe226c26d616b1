// The ring of parts behind a Staging. In: copies of any length, to or from memory that the device
// cannot reach by itself. Out: the same copies in the queue's order, by way of pinned memory.
//
// A copy is cut into pieces that fill the part whose turn it is. When a part is full, a mark is
// issued behind its copies, and the next part's turn comes: its own mark is waited for first, and
// what was downloaded into it goes on to its target. So the host waits only if it is a whole round
// of the ring ahead of the device, and pieces of many small copies share a part.
//
//   upload      host memory -> part (now)          part -> device (queued)
//   download    device -> part (queued)            part -> host memory (when its turn comes again,
//                                                  or in finish())
//
// Memory that is page-locked needs no ring, from its own place or from where PageLocks have moved
// it. A copy of it goes in pieces of kMostAtOnce, so that a small copy of another queue need not
// wait for all of a large one.
//
// The trap: CUDA locks memory in place for reading alone. So a download goes by way of the ring
// unless its target has moved.
#include "runtime/staging.h"

#include <algorithm>
#include <cstring>

namespace pshard {
namespace {

constexpr Bytes kAlignment = 64;

constexpr Bytes kMostAtOnce = 16 * kMiB;

// A run of a slot.
struct Run {
    Bytes begin = 0;
    Bytes bytes = 0;
};

// Calls `act` with the parts of a copy's pieces that lie in the run; pieces of zeroes have none.
template <typename Act>
void for_each_part(const std::vector<SlotPiece>& pieces,
                   const SlotCopy& copy,
                   const Run& run,
                   Act act) {
    for (std::size_t i = copy.first; i < copy.last; ++i) {
        const SlotPiece& piece = pieces[i];
        const Bytes begin = std::max(piece.offset, run.begin);
        const Bytes end = std::min(piece.end(), run.begin + run.bytes);
        if (piece.host == nullptr || begin >= end) continue;
        act({begin, end - begin, piece.host + (begin - piece.offset)});
    }
}

}  // namespace

Staging::Staging(ggml_backend_dev_t device, Queue& queue, const PageLocks& locks, Ring ring)
    : queue_(queue),
      locks_(locks),
      part_bytes_(ring.part),
      threads_(ring.n_threads),
      memory_(pinned_memory(device, kParts * ring.part)) {
    for (std::size_t i = 0; i < kParts; ++i) parts_.emplace_back(device);
}

// Finds room in the part whose turn it is or, if that is full, in the next one.
Staging::Room Staging::room_for(Bytes bytes) {
    if (parts_[now_].used == part_bytes_) turn();
    Part& part = parts_[now_];
    auto* base = static_cast<std::byte*>(ggml_backend_buffer_get_base(memory_.get()));
    const Room room{base + now_ * part_bytes_ + part.used,
                    std::min(bytes, part_bytes_ - part.used)};
    part.used =
        std::min(part_bytes_, (part.used + room.bytes + kAlignment - 1) / kAlignment * kAlignment);
    return room;
}

void Staging::turn() {
    queue_.issue(parts_[now_].copied);
    now_ = (now_ + 1) % kParts;
    parts_[now_].copied.host_wait();
    hand_on(parts_[now_]);
}

void Staging::hand_on(Part& part) {
    for (const Arrival& arrival : part.arrivals) {
        std::memcpy(arrival.host, arrival.staged, arrival.bytes);
    }
    part.arrivals.clear();
    part.used = 0;
}

void Staging::upload(ggml_tensor& tensor, const void* host, Bytes offset, Bytes bytes) {
    auto* data = const_cast<std::byte*>(static_cast<const std::byte*>(host));
    upload(tensor, {{offset, bytes, data}});
}

// The pieces, cut where what is locked, or has moved, ends: each lies together.
std::vector<SlotPiece> Staging::as_they_lie(const std::vector<SlotPiece>& pieces) const {
    std::vector<SlotPiece> parts;
    for (const SlotPiece& piece : pieces) {
        if (piece.host == nullptr) parts.push_back(piece);
        for (Bytes done = 0; piece.host != nullptr && done < piece.bytes;) {
            std::byte* host = piece.host + done;
            const Bytes bytes = locks_.piece(host, piece.bytes - done).bytes;
            parts.push_back({piece.offset + done, bytes, host});
            done += bytes;
        }
    }
    return parts;
}

void Staging::upload(ggml_tensor& slot, const std::vector<SlotPiece>& pieces) {
    const CopyRules rules{[this](const std::byte* data, Bytes bytes) -> const std::byte* {
                              const PageLocks::Piece piece = locks_.piece(data, bytes);
                              return piece.locked && piece.bytes == bytes ? piece.data : nullptr;
                          },
                          memory_ != nullptr};
    const std::vector<SlotPiece> parts = as_they_lie(pieces);
    for (const SlotCopy& copy : join_uploads(parts, rules)) {
        if (copy.host == nullptr) {
            gather(slot, parts, copy);
            continue;
        }
        for (Bytes done = 0; done < copy.bytes; done += kMostAtOnce) {
            const Bytes bytes = std::min(copy.bytes - done, kMostAtOnce);
            queue_.upload(slot, copy.host + done, copy.offset + done, bytes);
        }
    }
}

// Uploads the pieces of a copy, and zeroes between them.
void Staging::gather(ggml_tensor& slot,
                     const std::vector<SlotPiece>& pieces,
                     const SlotCopy& copy) {
    for (Bytes at = copy.offset; at < copy.end();) {
        const Room room = room_for(copy.end() - at);
        Bytes filled = 0;
        for_each_part(pieces, copy, {at, room.bytes}, [&](const SlotPiece& part) {
            const Bytes begin = part.offset - at;
            std::memset(room.data + filled, 0, begin - filled);
            threads_.copy(room.data + begin, locks_.piece(part.host, part.bytes).data, part.bytes);
            filled = begin + part.bytes;
        });
        std::memset(room.data + filled, 0, room.bytes - filled);
        queue_.upload(slot, room.data, at, room.bytes);
        at += room.bytes;
    }
}

void Staging::download(const ggml_tensor& tensor, void* host, Bytes offset, Bytes bytes) {
    download(tensor, {{offset, bytes, static_cast<std::byte*>(host)}});
}

void Staging::download(const ggml_tensor& slot, const std::vector<SlotPiece>& pieces) {
    const std::vector<SlotPiece> parts = as_they_lie(pieces);
    for (const SlotCopy& copy : join_downloads(parts, memory_ != nullptr)) {
        const PageLocks::Piece target = locks_.piece(parts[copy.first].host, copy.bytes);
        const bool direct = memory_ == nullptr || target.writable;
        if (copy.last != copy.first + 1 || !direct) {
            scatter(slot, parts, copy);
            continue;
        }
        for (Bytes done = 0; done < copy.bytes; done += kMostAtOnce) {
            const Bytes bytes = std::min(copy.bytes - done, kMostAtOnce);
            queue_.download(slot, target.data + done, copy.offset + done, bytes);
        }
    }
}

// Downloads a copy; its pieces go on to their places when their part's turn comes again.
void Staging::scatter(const ggml_tensor& slot,
                      const std::vector<SlotPiece>& pieces,
                      const SlotCopy& copy) {
    for (Bytes at = copy.offset; at < copy.end();) {
        const Room room = room_for(copy.end() - at);
        queue_.download(slot, room.data, at, room.bytes);
        for_each_part(pieces, copy, {at, room.bytes}, [&](const SlotPiece& part) {
            parts_[now_].arrivals.push_back({locks_.piece(part.host, part.bytes).data,
                                             room.data + (part.offset - at),
                                             part.bytes});
        });
        at += room.bytes;
    }
}

void Staging::finish() {
    queue_.synchronize();
    for (std::size_t i = 1; i <= parts_.size(); ++i) hand_on(parts_[(now_ + i) % kParts]);
}

}  // namespace pshard
