// Measured figures with the digits that they are worth.
#pragma once

#include "machine/machine_profile.h"

namespace pshard::tool {

// Rounds all measured rates and times to four significant digits.
void round_figures(MachineProfile& profile);

}  // namespace pshard::tool
