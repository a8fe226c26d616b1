// Words for a shell whose letters may all be shown on a terminal (base/visible.h).
#pragma once

#include <string>

namespace pshard::tool {

// $'...' of bash and others, which has an escape for what cannot be shown.
std::string quoted_as_visible(const std::string& word);

// The word as it is, if all of it can be shown, else quoted as above.
std::string visible_word(const std::string& word);

}  // namespace pshard::tool
