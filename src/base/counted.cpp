#include "base/counted.h"

#include <fmt/format.h>

namespace pshard {

std::string counted(std::string_view number, std::string_view unit) {
    return fmt::format("{} {}{}", number, unit, number == "1" ? "" : "s");
}

std::string rate_text(double tokens_per_second) {
    return fmt::format("{:.{}f}", tokens_per_second, tokens_per_second < 100 ? 2 : 0);
}

}  // namespace pshard
