// Keeps host memory page-locked where it is, for the copies of a device.
#pragma once

#include <utility>

#include <ggml-backend.h>

#include "base/result.h"
#include "base/units.h"

namespace pshard {

// The device may only read the memory: CUDA is told that it must not write there.
class PageLock {
public:
    // `data` and `bytes` must be whole pages. Fails if the backend cannot lock (CUDA's can if
    // GGML_CUDA_REGISTER_HOST is set), or if the system refuses to lock so much.
    static Result<PageLock> make(ggml_backend_dev_t device, const void* data, Bytes bytes);

    // Whether the backend has functions for it; it may refuse all the same.
    static bool is_offered(ggml_backend_dev_t device);

    PageLock(PageLock&& other) noexcept
        : unlock_(other.unlock_), data_(std::exchange(other.data_, nullptr)) {}

    PageLock(const PageLock&) = delete;
    PageLock& operator=(const PageLock&) = delete;
    PageLock& operator=(PageLock&&) = delete;

    ~PageLock() {
        if (data_ != nullptr) unlock_(data_);
    }

private:
    using Unlock = void (*)(void*);

    PageLock(Unlock unlock, void* data) : unlock_(unlock), data_(data) {}

    Unlock unlock_;
    void* data_;
};

}  // namespace pshard
