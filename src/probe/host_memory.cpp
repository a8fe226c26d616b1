#include "probe/host_memory.h"

#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace pshard {

namespace {

// Fills memory by xorshift64, on which a driver or a memory controller that compresses gains
// nothing.
void fill_random(std::byte* data, Bytes bytes) {
    std::uint64_t state = 0x9e3779b97f4a7c15;
    for (Bytes at = 0; at + sizeof state <= bytes; at += sizeof state) {
        state ^= state << 13U;
        state ^= state >> 7U;
        state ^= state << 17U;
        std::memcpy(data + at, &state, sizeof state);
    }
}

Result<BufferHandle> pinned_buffer(ggml_backend_dev_t device, Bytes bytes) {
    ggml_backend_buffer_type_t type = ggml_backend_dev_host_buffer_type(device);
    if (type == nullptr) {
        return Error{fmt::format("{} has no pinned host memory", ggml_backend_dev_name(device)),
                     {}};
    }
    Result<BufferHandle> buffer = allocate(type, bytes);
    // A driver that has no pinned memory left may give memory of the CPU's type.
    if (!buffer || ggml_backend_buffer_get_type(buffer.value().get()) == type) return buffer;
    return Error{fmt::format("{} has no {:.0f} MiB of pinned host memory left",
                             ggml_backend_dev_name(device),
                             in_mib(bytes)),
                 {}};
}

}  // namespace

const char* name_of(CopySource kind) {
    switch (kind) {
        case CopySource::Pinned:
            return "pinned";
        case CopySource::Registered:
            return "registered";
        case CopySource::Pageable:
            break;
    }
    return "pageable";
}

Result<AddressSpace> make_mapping(Bytes bytes) {
    std::optional<AddressSpace> space = AddressSpace::reserve(bytes, PageUse::AllAtOnce);
    if (space) return std::move(*space);
    return Error{fmt::format("the host has no {:.0f} MiB of memory left", in_mib(bytes)), {}};
}

Result<HostBlock> HostBlock::make(CopySource kind, ggml_backend_dev_t device, Bytes bytes) {
    HostBlock memory;
    memory.bytes_ = bytes;
    if (kind == CopySource::Pinned) {
        Result<BufferHandle> buffer = pinned_buffer(device, bytes);
        if (!buffer) return buffer.error();
        memory.buffer_ = std::move(buffer).value();
        memory.data_ = static_cast<std::byte*>(ggml_backend_buffer_get_base(memory.buffer_.get()));
        fill_random(memory.data_, bytes);
        return memory;
    }
    Result<AddressSpace> mapping = make_mapping(bytes);
    if (!mapping) return mapping.error();
    memory.mapping_.emplace(std::move(mapping).value());
    memory.data_ = memory.mapping_->data();
    fill_random(memory.data_, bytes);
    if (kind == CopySource::Registered) {
        Result<PageLock> lock = PageLock::make(device, memory.data_, bytes);
        if (!lock) return lock.error();
        memory.lock_.emplace(std::move(lock).value());
    }
    return memory;
}

}  // namespace pshard
