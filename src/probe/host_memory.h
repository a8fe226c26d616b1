// Host memory to copy from and to. Its kind decides how fast a copy is. Every page is filled with
// random bytes.
//
//   Pinned      the device's driver has allocated it (its host buffer type)
//   Registered  a mapping of ours, page-locked in place, as the pages of a model file can be
//   Pageable    a mapping of ours, not page-locked
#pragma once

#include <cstddef>
#include <optional>

#include "base/address_space.h"
#include "ggml_kit/page_lock.h"
#include "machine/machine_profile.h"
#include "probe/devices.h"

namespace pshard {

[[nodiscard]] const char* name_of(CopySource kind);  // "pinned", "registered", "pageable"

// Maps anonymous pages, each of which takes its memory at once. Fails if the host does not have so
// much.
[[nodiscard]] Result<AddressSpace> make_mapping(Bytes bytes);

class HostBlock {
public:
    // Fails if the device has no memory of that kind, or not so much.
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
    std::optional<PageLock> lock_{};  // must end before the mapping
};

}  // namespace pshard
