// Writes the finished plan into the registry of its model.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "planning/plan_model.h"

namespace pshard::tool {

// Notes the fingerprint of the section that the plan belongs to.
Status note_section(PlannedJob& planned);

// Does the same, and puts the plan into the registry if there is one to run (is_viable()). Waits
// for other programs that write the file, and says so on stderr.
Status write_plan(const std::string& path, PlannedJob& planned);

// The registry that lies beside a model.
std::string registry_beside(const std::string& model);

}  // namespace pshard::tool
