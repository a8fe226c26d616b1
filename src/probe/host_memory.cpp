#include "probe/host_memory.h"

#include <cstring>
#include <utility>

#include <sys/mman.h>

#include <fmt/format.h>

namespace pshard {

namespace {

// xorshift64: a driver or a memory controller that compresses gains nothing on it.
void fill_random(std::byte* data, Bytes bytes) {
    std::uint64_t state = 0x9e3779b97f4a7c15;
    for (Bytes at = 0; at + sizeof state <= bytes; at += sizeof state) {
        state ^= state << 13U;
        state ^= state >> 7U;
        state ^= state << 17U;
        std::memcpy(data + at, &state, sizeof state);
    }
}

Result<BufferPtr> pinned_buffer(ggml_backend_dev_t device, Bytes bytes) {
    ggml_backend_buffer_type_t type = ggml_backend_dev_host_buffer_type(device);
    if (type == nullptr) {
        return Error{fmt::format("{} has no pinned host memory", ggml_backend_dev_name(device)),
                     {}};
    }
    Result<BufferPtr> buffer = allocate(type, bytes);
    // A driver that has no pinned memory left may hand out the CPU's.
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

Result<Mapping> Mapping::make(Bytes bytes) {
    void* data = mmap(
        nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (data == MAP_FAILED) {
        return Error{fmt::format("the host has no {:.0f} MiB of memory left", in_mib(bytes)), {}};
    }
    return Mapping(static_cast<std::byte*>(data), bytes);
}

Mapping::Mapping(Mapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_) {}

Mapping::~Mapping() {
    if (data_ != nullptr) munmap(data_, bytes_);
}

Result<PageLock> PageLock::make(ggml_backend_dev_t device, const Mapping& mapping) {
    using Lock = bool (*)(void*, std::size_t);
    ggml_backend_reg_t backend = ggml_backend_dev_backend_reg(device);
    const auto lock = reinterpret_cast<Lock>(
        ggml_backend_reg_get_proc_address(backend, "ggml_backend_register_host_buffer"));
    const auto unlock = reinterpret_cast<Unlock>(
        ggml_backend_reg_get_proc_address(backend, "ggml_backend_unregister_host_buffer"));
    if (lock == nullptr || unlock == nullptr) {
        return Error{
            fmt::format("{} cannot page-lock memory in place", ggml_backend_reg_name(backend)), {}};
    }
    if (lock(mapping.data(), mapping.bytes())) return PageLock(unlock, mapping.data());
    return Error{fmt::format("{} refuses to page-lock {:.0f} MiB in place",
                             ggml_backend_reg_name(backend),
                             in_mib(mapping.bytes())),
                 {}};
}

PageLock::PageLock(PageLock&& other) noexcept
    : unlock_(other.unlock_), data_(std::exchange(other.data_, nullptr)) {}

PageLock::~PageLock() {
    if (data_ != nullptr) unlock_(data_);
}

Result<HostBlock> HostBlock::make(CopySource kind, ggml_backend_dev_t device, Bytes bytes) {
    HostBlock memory;
    memory.bytes_ = bytes;
    if (kind == CopySource::Pinned) {
        Result<BufferPtr> buffer = pinned_buffer(device, bytes);
        if (!buffer) return buffer.error();
        memory.buffer_ = std::move(buffer).value();
        memory.data_ = static_cast<std::byte*>(ggml_backend_buffer_get_base(memory.buffer_.get()));
        fill_random(memory.data_, bytes);
        return memory;
    }
    Result<Mapping> mapping = Mapping::make(bytes);
    if (!mapping) return mapping.error();
    memory.mapping_.emplace(std::move(mapping).value());
    memory.data_ = memory.mapping_->data();
    fill_random(memory.data_, bytes);
    if (kind == CopySource::Registered) {
        Result<PageLock> lock = PageLock::make(device, *memory.mapping_);
        if (!lock) return lock.error();
        memory.lock_.emplace(std::move(lock).value());
    }
    return memory;
}

}  // namespace pshard
