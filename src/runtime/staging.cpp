#include "runtime/staging.h"

#include <algorithm>
#include <cstring>

namespace pshard {
namespace {

constexpr Bytes kAlignment = 64;

}  // namespace

Staging::Staging(ggml_backend_dev_t device, Queue& queue, const PageLocks& locks)
    : queue_(queue), locks_(locks) {
    ggml_backend_buffer_type_t type = ggml_backend_dev_host_buffer_type(device);
    if (type == nullptr) return;
    memory_.reset(ggml_backend_buft_alloc_buffer(type, kParts * kPart));
    for (std::size_t i = 0; i < kParts; ++i) parts_.emplace_back(device);
}

// Of the part whose turn it is, or of the next one.
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

void Staging::settle() {
    queue_.synchronize();
    for (std::size_t i = 1; i <= parts_.size(); ++i) hand_on(parts_[(now_ + i) % kParts]);
}

}  // namespace pshard
