#include "runtime/host_buffer.h"

#include <sys/mman.h>

#include <cstring>
#include <utility>

#include <ggml-backend-impl.h>

#include "base/host_pages.h"

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

void HostBuffer::clear_to_zero(std::byte* data, Bytes bytes) {
    const HostRange pages = pages_inside({data, bytes}, page_bytes());
    auto* begin = const_cast<std::byte*>(pages.data);
    const bool dropped = own_ && pages.bytes > 0 && madvise(begin, pages.bytes, MADV_DONTNEED) == 0;
    if (!dropped) {
        std::memset(data, 0, bytes);
        return;
    }
    std::byte* end = begin + pages.bytes;
    std::memset(data, 0, static_cast<Bytes>(begin - data));
    std::memset(end, 0, static_cast<Bytes>(data + bytes - end));
}

}  // namespace pshard
