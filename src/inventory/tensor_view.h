// The tensor that a Ref points to, and the one whose memory that lies in.
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

// Whose memory a tensor lies in: a node's storage, or the tensor itself.
[[nodiscard]] Ref root_of(const Ref& ref, const Graph& graph);

}  // namespace pshard
