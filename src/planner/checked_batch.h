// The batches in which a run checks drafts, where nobody has captured their graph.
//
// A run that drafts computes one token more than was drafted, of each sequence, and asks for a row
// of logits of each. llama.cpp reserves no graph of that many tokens: a device sees one for a token
// of each sequence, and one of a whole ubatch, by which such a batch would run. But the latter
// tells how many rows are ever asked for.
#pragma once

#include <cstdint>

#include "inventory/inventory.h"

namespace pshard {

// The rows that the head is applied to in a graph that llama.cpp has reserved; 0: it has no head.
std::uint32_t rows_of_logits(const Inventory& inventory, const Graph& graph);

// The inventory with a graph of as many tokens as its largest graph has rows of logits, made from
// the graph of a smaller batch. The values of the new one are at least as large as the true one's.
// As it is if there is a graph of so many tokens, none of fewer, or a row for every token.
Inventory with_checked_batch(Inventory inventory);

// The inventory with a graph of at most `most` tokens, made in the same way from that of one token
// of each sequence. As it is if there is a graph between the two, or none larger than `most`.
Inventory with_small_batch(Inventory inventory, std::uint32_t most);

}  // namespace pshard
