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

Bytes at_once(const PageLocks::Piece& piece) {
    return piece.locked ? std::min(piece.bytes, kMostAtOnce) : piece.bytes;
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
    for (Bytes done = 0; done < bytes;) {
        const PageLocks::Piece piece =
            locks_.piece(static_cast<const std::byte*>(host) + done, bytes - done);
        if (memory_ == nullptr || piece.locked) {
            queue_.upload(tensor, piece.data, offset + done, at_once(piece));
        } else {
            stage_up(tensor, piece.data, offset + done, piece.bytes);
        }
        done += at_once(piece);
    }
}

void Staging::stage_up(ggml_tensor& tensor, const std::byte* host, Bytes offset, Bytes bytes) {
    for (Bytes done = 0; done < bytes;) {
        const Room room = room_for(bytes - done);
        threads_.copy(room.data, host + done, room.bytes);
        queue_.upload(tensor, room.data, offset + done, room.bytes);
        done += room.bytes;
    }
}

void Staging::download(const ggml_tensor& tensor, void* host, Bytes offset, Bytes bytes) {
    for (Bytes done = 0; done < bytes;) {
        const PageLocks::Piece piece =
            locks_.piece(static_cast<const std::byte*>(host) + done, bytes - done);
        if (memory_ == nullptr || piece.writable) {
            queue_.download(tensor, piece.data, offset + done, at_once(piece));
        } else {
            stage_down(tensor, piece.data, offset + done, at_once(piece));
        }
        done += at_once(piece);
    }
}

void Staging::stage_down(const ggml_tensor& tensor, std::byte* host, Bytes offset, Bytes bytes) {
    for (Bytes done = 0; done < bytes;) {
        const Room room = room_for(bytes - done);
        queue_.download(tensor, room.data, offset + done, room.bytes);
        parts_[now_].arrivals.push_back({host + done, room.data, room.bytes});
        done += room.bytes;
    }
}

void Staging::finish() {
    queue_.synchronize();
    for (std::size_t i = 1; i <= parts_.size(); ++i) hand_on(parts_[(now_ + i) % kParts]);
}

}  // namespace pshard
