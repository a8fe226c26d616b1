// The tensor that a Ref points to.
#pragma once

#include <string_view>

#include "inventory/inventory.h"

namespace pshard {

struct TensorView {
    std::string_view name;
    std::string_view type;
    Shape shape{1, 1, 1, 1};
    Bytes bytes = 0;
};

[[nodiscard]] TensorView tensor_of(const Ref& ref, const Graph& graph, const Inventory& inventory);

}  // namespace pshard
