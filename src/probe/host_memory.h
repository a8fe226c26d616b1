// Host memory to copy from and to, of the three kinds that decide how fast a copy is. Filled with
// random bytes, every page touched.
//
//   Pinned      allocated by the device's driver (its host buffer type)
//   Registered  a mapping of ours, page-locked in place: what a model file's pages can become
//   Pageable    a mapping of ours as it is
#pragma once

#include <cstddef>
#include <optional>

#include "base/address_space.h"
#include "ggml_kit/page_lock.h"
#include "machine/machine_profile.h"
#include "probe/devices.h"

namespace pshard {

[[nodiscard]] const char* name_of(CopySource kind);  // "pinned", "registered", "pageable"

// Anonymous pages, each touched. Fails when the host has not so much.
[[nodiscard]] Result<AddressSpace> make_mapping(Bytes bytes);

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
    BufferHandle buffer_{};
    std::optional<AddressSpace> mapping_{};
    std::optional<PageLock> lock_{};  // goes before the mapping
};

}  // namespace pshard
