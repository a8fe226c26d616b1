// A plan in the form that the registry keeps.
#pragma once

#include "planner/planning.h"
#include "registry/registry.h"

namespace pshard {

// A hash of the machine and all its figures, since other figures give other plans [A22]. 0 without
// a profile.
Hash64 machine_hash(const MachineProfile* profile);

// The plan as a variant. If the plan of a tier has no published form, the published lines hold the
// best plan that has one, and the pshard line holds the chosen plan. If no plan has a published
// form, the tier is written as not viable, with the chosen plan in the pshard line.
RegistryVariant to_registry_variant(const Planning& planning);

}  // namespace pshard
