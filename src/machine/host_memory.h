// What the host's memory has to give now.
#pragma once

#include "base/units.h"

namespace pshard {

// What the host can give without swapping or being stopped: MemAvailable, and what the control
// group of the process has left. 0: the system does not say.
[[nodiscard]] Bytes available_host_memory();

}  // namespace pshard
