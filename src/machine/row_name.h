// Under which name a profile has an op that is no matmul and no attention.
#pragma once

#include <string_view>

#include "inventory/inventory.h"

namespace pshard {

inline constexpr std::string_view kMulByColumn = "MUL_COLUMN";

// The op's own, but for a MUL by one column (the weights of routed experts): ggml's CPU backend
// then multiplies value by value, at an eighth of the rate of a MUL by a row.
[[nodiscard]] constexpr std::string_view row_name(std::string_view op,
                                                  const Shape& first,
                                                  const Shape& second) {
    return op == "MUL" && first[0] > 1 && second[0] == 1 ? kMulByColumn : op;
}

}  // namespace pshard
