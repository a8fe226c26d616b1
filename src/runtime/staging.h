// Copies between host memory and a device, by way of page-locked memory of the driver's. Memory
// that PageLocks hold is copied from and to where they have it. Where the device's driver has no
// such memory, all copies are left to its backend. One thread at a time may use it.
#pragma once

#include <vector>

#include "base/copy_threads.h"
#include "ggml_kit/queue.h"
#include "runtime/copies.h"
#include "runtime/page_locks.h"

namespace pshard {

class Staging {
public:
    static constexpr Bytes kPart = 2 * kMiB;
    static constexpr std::size_t kParts = 4;

    // Its own memory: kParts parts, each filled by so many threads.
    struct Ring {
        Bytes part = kPart;
        std::size_t n_threads = 1;
    };

    // `queue` does the copies.
    Staging(ggml_backend_dev_t device, Queue& queue, const PageLocks& locks, Ring ring);

    Staging(ggml_backend_dev_t device, Queue& queue, const PageLocks& locks)
        : Staging(device, queue, locks, Ring{}) {}

    // Uploads in the queue's order. Locked memory must stay as it is until the queue has passed
    // this point; other memory is read before this returns. Here and below, `host` is llama.cpp's
    // address, wherever its bytes lie now.
    void upload(ggml_tensor& tensor, const void* host, Bytes offset, Bytes bytes);

    // The same for pieces of a slot, ascending, in as few copies as copies.h makes of them.
    void upload(ggml_tensor& slot, const std::vector<SlotPiece>& pieces);

    // Downloads in the queue's order; the host's bytes are there after finish().
    void download(const ggml_tensor& tensor, void* host, Bytes offset, Bytes bytes);

    void download(const ggml_tensor& slot, const std::vector<SlotPiece>& pieces);

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

    [[nodiscard]] std::vector<SlotPiece> as_they_lie(const std::vector<SlotPiece>& pieces) const;
    Room room_for(Bytes bytes);
    void gather(ggml_tensor& slot, const std::vector<SlotPiece>& pieces, const SlotCopy& copy);
    void scatter(const ggml_tensor& slot,
                 const std::vector<SlotPiece>& pieces,
                 const SlotCopy& copy);
    void turn();
    static void hand_on(Part& part);

    Queue& queue_;
    const PageLocks& locks_;
    Bytes part_bytes_;
    CopyThreads threads_;
    BufferHandle memory_;  // nullptr: the driver has none
    std::vector<Part> parts_;
    std::size_t now_ = 0;
};

}  // namespace pshard
