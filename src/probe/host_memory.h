// Host memory to copy from and to, of the three kinds that decide how fast a copy is. Filled with
// random bytes, every page touched.
//
//   Pinned      allocated by the device's driver (its host buffer type)
//   Registered  a mapping of ours, page-locked in place: what a model file's pages can become
//   Pageable    a mapping of ours as it is
#pragma once

#include <cstddef>
#include <optional>

#include "machine/machine_profile.h"
#include "probe/devices.h"

namespace pshard {

[[nodiscard]] const char* name_of(CopySource kind);  // "pinned", "registered", "pageable"

// Anonymous pages, each touched.
class Mapping {
public:
    static Result<Mapping> make(Bytes bytes);
    Mapping(Mapping&& other) noexcept;
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    Mapping& operator=(Mapping&&) = delete;
    ~Mapping();

    [[nodiscard]] std::byte* data() const { return data_; }

    [[nodiscard]] Bytes bytes() const { return bytes_; }

private:
    Mapping(std::byte* data, Bytes bytes) : data_(data), bytes_(bytes) {}

    std::byte* data_ = nullptr;
    Bytes bytes_ = 0;
};

// Keeps pages of ours locked for the copies of a device. They are for reading: CUDA is told that it
// may not write to them.
class PageLock {
public:
    // Fails where the backend cannot do it (CUDA's can, when GGML_CUDA_REGISTER_HOST is set), and
    // where the system refuses to lock so much.
    static Result<PageLock> make(ggml_backend_dev_t device, const Mapping& mapping);
    PageLock(PageLock&& other) noexcept;
    PageLock(const PageLock&) = delete;
    PageLock& operator=(const PageLock&) = delete;
    PageLock& operator=(PageLock&&) = delete;
    ~PageLock();

private:
    using Unlock = void (*)(void*);

    PageLock(Unlock unlock, void* data) : unlock_(unlock), data_(data) {}

    Unlock unlock_ = nullptr;
    void* data_ = nullptr;
};

class HostBlock {
public:
    // Fails when the device has no memory of that kind, or not so much.
    static Result<HostBlock> make(CopySource kind, ggml_backend_dev_t device, Bytes bytes);

    [[nodiscard]] std::byte* data() const { return data_; }

    [[nodiscard]] Bytes bytes() const { return bytes_; }

    // Whether the device may copy into it.
    [[nodiscard]] bool writable() const { return !lock_.has_value(); }

private:
    HostBlock() = default;

    std::byte* data_ = nullptr;
    Bytes bytes_ = 0;
    BufferPtr buffer_{};
    std::optional<Mapping> mapping_{};
    std::optional<PageLock> lock_{};  // goes before the mapping
};

}  // namespace pshard
