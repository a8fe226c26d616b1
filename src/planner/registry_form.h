// A plan in the form that the registry keeps.
#pragma once

#include "planner/planning.h"
#include "registry/registry.h"

namespace pshard {

// A hash of the machine and all its figures, since other figures give other plans [A22]. 0 without
// a profile.
Hash64 machine_hash(const MachineProfile* profile);

// The one variant of the plan. Where the chosen plan has no published form, the published lines
// hold the best that has one, and the pshard line the chosen; where none has one, the tier is
// written as not viable with the chosen plan in the pshard line.
RegistryVariant to_registry_variant(const Planning& planning);

}  // namespace pshard
