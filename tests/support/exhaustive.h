// The search held against trying every choice that the words of a plan can say.
#pragma once

#include <string>

#include "inventory/inventory.h"
#include "machine/machine_profile.h"

namespace pshard::testing_support {

struct SearchLoss {
    double worst = 0;   // share of the best rate; 0: nothing is faster than the plans
    std::string where;  // budget and batch of the worst
    int compared = 0;   // plans
};

// For each graph, at budgets of 0.2, 0.45 and 0.75 of all-resident and a depth of 4096 tokens.
//
// Every choice: all counts of each strategy (pinned layers and, where it is static, layers of
// attention), each part of one more layer, the head here and there, pinned from the front and from
// the back, experts whole and in slices.
SearchLoss search_loss(const Inventory& inventory, const MachineProfile& profile);

// "plans of 9 budgets and batches miss at most 0.123 % (0.45 of 4096.0 MiB, 16 tokens)"
std::string to_text(const SearchLoss& loss);

}  // namespace pshard::testing_support
