#include "base/counted.h"

#include <fmt/format.h>

namespace pshard {

std::string counted(std::string_view number, std::string_view unit) {
    return fmt::format("{} {}{}", number, unit, number == "1" ? "" : "s");
}

}  // namespace pshard
