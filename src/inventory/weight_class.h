// The one rule that tells from a weight's name where in the model the weight belongs.
#pragma once

#include <string_view>

#include "inventory/inventory.h"

namespace pshard {

struct WeightClass {
    int layer = -1;
    Side side = Side::Output;
    bool routed = false;  // "..._exps" and "..._chexps"

    bool operator==(const WeightClass&) const = default;
};

// Source: the published override patterns [S11] and llama.cpp's tensor names.
WeightClass classify_weight(std::string_view name);

// The number behind "blk." in the name; -1 if there is none.
int layer_of_name(std::string_view name);

}  // namespace pshard
