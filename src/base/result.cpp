#include "base/result.h"

#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

namespace pshard {

std::string Error::text() const {
    if (place.file.empty()) return message;
    if (place.line == 0) return fmt::format("{}: {}", place.file, message);
    if (place.column == 0) return fmt::format("{}:{}: {}", place.file, place.line, message);
    return fmt::format("{}:{}:{}: {}", place.file, place.line, place.column, message);
}

void check_failed(const char* condition, const char* file, int line) {
    std::fprintf(
        stderr, "pshard: internal error: %s does not hold at %s:%d\n", condition, file, line);
    std::abort();
}

}  // namespace pshard
