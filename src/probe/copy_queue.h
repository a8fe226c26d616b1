// Copies between host memory and one stretch of device memory, in the order in which they are
// queued. Each CopyQueue has a backend instance of its own, and so a stream of its own.
#pragma once

#include <cstddef>
#include <memory>

#include "ggml_kit/queue.h"
#include "probe/devices.h"

namespace pshard {

class CopyQueue {
public:
    // Takes `wanted` bytes of device memory. If there are not so many, it tries half of them, and
    // so on down to `least`; capacity() tells what it got. Fails below `least`.
    static Result<CopyQueue> open(ggml_backend_dev_t device, Bytes wanted, Bytes least);

    // `at` is a place in the device memory. The host memory must stay valid until wait() returns.
    void upload(const std::byte* from, Bytes at, Bytes bytes) {
        queue_->upload(*memory_, from, at, bytes);
    }

    void download(std::byte* to, Bytes at, Bytes bytes) {
        queue_->download(*memory_, to, at, bytes);
    }

    // Returns when all queued copies are done.
    void wait() { queue_->synchronize(); }

    [[nodiscard]] Bytes capacity() const;

    [[nodiscard]] ggml_backend_t backend() const { return queue_->backend(); }

private:
    CopyQueue(std::unique_ptr<Queue> queue, BufferHandle buffer);

    BufferHandle buffer_;
    std::unique_ptr<Queue> queue_;  // must be freed before its buffer
    GgmlContext context_;
    ggml_tensor* memory_;
};

}  // namespace pshard
