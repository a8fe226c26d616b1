#include "plan/choice.h"

#include <array>

namespace pshard {
namespace {

constexpr std::array<std::string_view, 5> kOverflowNames = {"NONE", "ATTN", "UP", "GATE", "MOE"};

}  // namespace

std::string_view overflow_name(Overflow overflow) {
    return kOverflowNames[static_cast<std::size_t>(overflow)];
}

std::optional<Overflow> overflow_of(std::string_view name) {
    for (std::size_t i = 0; i < kOverflowNames.size(); ++i) {
        if (name == kOverflowNames[i]) return static_cast<Overflow>(i);
    }
    return std::nullopt;
}

}  // namespace pshard
