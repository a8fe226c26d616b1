// Finds the registries of this process.
#pragma once

#include <string>
#include <vector>

namespace pshard {

// Whether the command line names several model files, so that one plan shall not have all.
bool names_several_models();

// Finds the registries to look into: `given`, else those that lie beside model files that this
// process was started with or has mapped, each once: a draft model has its own. Empty: there is
// none.
std::vector<std::string> find_registries(const std::string& given);

}  // namespace pshard
