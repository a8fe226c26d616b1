// How long it takes to page-lock mappings in place, and how many bytes of them the system allows.
#pragma once

#include "probe/host_memory.h"

namespace pshard {

struct PageLockCosts {
    Seconds seconds_per_gib = 0;
    // How much was locked when the system refused, or when `most` was reached.
    Bytes locked = 0;
    bool refused = false;
};

// Locks one mapping of `chunk` bytes after the other, and holds all of them, until they make `most`
// bytes or the system refuses. Fails if not even the first can be locked.
[[nodiscard]] Result<PageLockCosts> probe_page_lock(ggml_backend_dev_t device,
                                                    Bytes chunk,
                                                    Bytes most);

}  // namespace pshard
