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
// The trap: CUDA locks memory in place for reading alone. So an upload may begin in locked memory,
// while a download always goes by way of the ring.
#include "runtime/staging.h"

#include <algorithm>
#include <cstring>

namespace pshard {
namespace {

constexpr Bytes kAlignment = 64;

}  // namespace

Staging::Staging(ggml_backend_dev_t device, Queue& queue, const PageLocks& locks)
    : queue_(queue), locks_(locks), memory_(pinned_memory(device, kParts * kPart)) {
    for (std::size_t i = 0; i < kParts; ++i) parts_.emplace_back(device);
}

// Finds room in the part whose turn it is or, if that is full, in the next one.
Staging::Room Staging::room_for(Bytes bytes) {
    if (parts_[now_].used == kPart) turn();
    Part& part = parts_[now_];
    auto* base = static_cast<std::byte*>(ggml_backend_buffer_get_base(memory_.get()));
    const Room room{base + now_ * kPart + part.used, std::min(bytes, kPart - part.used)};
    part.used =
        std::min(kPart, (part.used + room.bytes + kAlignment - 1) / kAlignment * kAlignment);
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
    if (memory_ == nullptr || locks_.hold(host, bytes)) {
        return queue_.upload(tensor, host, offset, bytes);
    }
    for (Bytes done = 0; done < bytes;) {
        const Room room = room_for(bytes - done);
        std::memcpy(room.data, static_cast<const std::byte*>(host) + done, room.bytes);
        queue_.upload(tensor, room.data, offset + done, room.bytes);
        done += room.bytes;
    }
}

void Staging::download(const ggml_tensor& tensor, void* host, Bytes offset, Bytes bytes) {
    if (memory_ == nullptr) return queue_.download(tensor, host, offset, bytes);
    for (Bytes done = 0; done < bytes;) {
        const Room room = room_for(bytes - done);
        queue_.download(tensor, room.data, offset + done, room.bytes);
        parts_[now_].arrivals.push_back(
            {static_cast<std::byte*>(host) + done, room.data, room.bytes});
        done += room.bytes;
    }
}

void Staging::finish() {
    queue_.synchronize();
    for (std::size_t i = 1; i <= parts_.size(); ++i) hand_on(parts_[(now_ + i) % kParts]);
}

}  // namespace pshard
