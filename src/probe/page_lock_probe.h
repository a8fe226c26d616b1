// How long it takes to page-lock mappings in place, and how much of them the system allows.
#pragma once

#include <optional>

#include "probe/host_memory.h"

namespace pshard {

struct PageLockCosts {
    Seconds seconds_per_gib = 0;
    // Locked when the system refused, or where it was left at: `most`.
    Bytes locked = 0;
    bool refused = false;
};

// Locks mappings of `chunk` bytes, all of them at once, until `most` or until it is refused. Fails
// when not even the first can be locked.
[[nodiscard]] Result<PageLockCosts> probe_page_lock(ggml_backend_dev_t device,
                                                    Bytes chunk,
                                                    Bytes most);

}  // namespace pshard
