// Measured figures with the digits that they are worth.
#pragma once

#include "machine/machine_profile.h"

namespace pshard::tool {

// To four significant digits: all measured rates and times.
void round_figures(MachineProfile& profile);

}  // namespace pshard::tool
