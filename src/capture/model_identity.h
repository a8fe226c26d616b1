// What the headers of a model's files say of the model as a whole.
#pragma once

#include <vector>

#include "base/result.h"
#include "capture/gguf_header.h"
#include "inventory/inventory.h"

namespace pshard {

// An Inventory with its first fields set: names, sizes, hash, counts of layers and experts.
// Fails if the model has no architecture or no layers.
Result<Inventory> identify_model(const std::vector<GgufHeader>& files);

}  // namespace pshard
