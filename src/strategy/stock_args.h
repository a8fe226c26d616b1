// A static plan as flags of stock llama.cpp: -ngl and -ot.
//
// -ot moves weights, not KV; -ngl N keeps the head and the last N-1 layers with their KV. So only
// plans that keep all KV resident, or that pin from the back, have such flags.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "inventory/inventory.h"
#include "plan/choice.h"

namespace pshard {

struct StockArgs {
    int n_gpu_layers = 0;  // -ngl: the head counts as one layer
    std::vector<std::string>
        cpu_patterns;  // each as -ot PATTERN=CPU, anchored, without backslashes

    bool operator==(const StockArgs&) const = default;
};

// nullopt: stock llama.cpp has no flags for it. Patterns are regular expressions that pass through
// sh and xargs as they are: `[.]` for a dot, no backslash, no parenthesis, no bar.
std::optional<StockArgs> stock_args(const Inventory& inventory, const PlanChoice& choice);

}  // namespace pshard
