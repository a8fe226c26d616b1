#include "runtime/host_buffer.h"

#include <sys/mman.h>

#include <cstring>

#include <ggml-backend-impl.h>

namespace pshard {

HostBuffer::HostBuffer(void* base, Bytes bytes, bool adopted)
    : base_(static_cast<std::byte*>(base)), bytes_(bytes), adopted_(adopted) {}

HostBuffer* HostBuffer::reserve(Bytes bytes) {
    constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void* base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, kFlags, -1, 0);
    return base == MAP_FAILED ? nullptr : new HostBuffer(base, bytes, false);
}

HostBuffer* HostBuffer::adopt(void* base, Bytes bytes) { return new HostBuffer(base, bytes, true); }

HostBuffer::~HostBuffer() {
    if (!adopted_) munmap(base_, bytes_);
}

BufferUse HostBuffer::use() const {
    switch (handle->usage) {
        case GGML_BACKEND_BUFFER_USAGE_WEIGHTS:
            return BufferUse::Weights;
        case GGML_BACKEND_BUFFER_USAGE_COMPUTE:
            return BufferUse::Compute;
        default:
            return BufferUse::Any;
    }
}

void HostBuffer::clear_to_zero() {
    const bool dropped = !adopted_ && madvise(base_, bytes_, MADV_DONTNEED) == 0;
    if (!dropped) std::memset(base_, 0, bytes_);
}

}  // namespace pshard
