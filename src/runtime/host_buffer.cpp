#include "runtime/host_buffer.h"

#include <sys/mman.h>

#include <cstring>
#include <utility>

#include <ggml-backend-impl.h>

namespace pshard {

HostBuffer* HostBuffer::reserve(Bytes bytes) {
    std::optional<AddressSpace> space = AddressSpace::reserve(bytes, PageUse::OnDemand);
    if (!space) return nullptr;
    auto* buffer = new HostBuffer(space->data(), bytes);
    buffer->own_.emplace(std::move(*space));
    return buffer;
}

HostBuffer* HostBuffer::adopt(void* base, Bytes bytes) { return new HostBuffer(base, bytes); }

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
    const bool dropped = own_ && madvise(base_, bytes_, MADV_DONTNEED) == 0;
    if (!dropped) std::memset(base_, 0, bytes_);
}

}  // namespace pshard
