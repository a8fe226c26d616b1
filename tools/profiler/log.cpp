#include "plan_params/log.h"

#include <cerrno>
#include <cstdio>

#include <fmt/format.h>

namespace pshard::tool {

void log_line(const std::string& text) {
    fmt::print(stderr, "{}: {}\n", program_invocation_short_name, text);
}

}  // namespace pshard::tool
