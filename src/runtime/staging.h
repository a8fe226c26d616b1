// Copies between host memory and a device, by way of page-locked memory of the driver's. Memory
// that PageLocks hold is uploaded from where it lies. Where the device's driver has no such memory,
// all copies are left to its backend. One thread at a time may use it.
#pragma once

#include <vector>

#include "ggml_kit/queue.h"
#include "runtime/page_locks.h"

namespace pshard {

class Staging {
public:
    static constexpr Bytes kPart = 2 * kMiB;
    static constexpr std::size_t kParts = 4;

    // `queue` does the copies.
    Staging(ggml_backend_dev_t device, Queue& queue, const PageLocks& locks);

    // Uploads in the queue's order. Locked memory must stay as it is until the queue has passed
    // this point; other memory is read before this returns.
    void upload(ggml_tensor& tensor, const void* host, Bytes offset, Bytes bytes);

    // Downloads in the queue's order; the host's bytes are there after finish().
    void download(const ggml_tensor& tensor, void* host, Bytes offset, Bytes bytes);

    // Waits until the queue is done and what was downloaded is in its place.
    void finish();

    [[nodiscard]] Queue& queue() { return queue_; }

private:
    // Bytes that wait in a part for the device, and then go on to `host`.
    struct Arrival {
        std::byte* host = nullptr;
        const std::byte* staged = nullptr;
        Bytes bytes = 0;
    };

    struct Part {
        explicit Part(ggml_backend_dev_t device) : copied(device) {}

        Mark copied;  // what the device was told to do with it
        Bytes used = 0;
        std::vector<Arrival> arrivals;
    };

    struct Room {
        std::byte* data = nullptr;
        Bytes bytes = 0;
    };

    Room room_for(Bytes bytes);
    void turn();
    static void hand_on(Part& part);

    Queue& queue_;
    const PageLocks& locks_;
    BufferHandle memory_;  // nullptr: the driver has none
    std::vector<Part> parts_;
    std::size_t now_ = 0;
};

}  // namespace pshard
