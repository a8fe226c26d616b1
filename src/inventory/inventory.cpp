#include "inventory/inventory.h"

#include <algorithm>

namespace pshard {

std::uint32_t output_rows(const ContextSpec& context, std::uint32_t n_tokens) {
    if (context.n_outputs != 0) return std::min(context.n_outputs, n_tokens);
    switch (context.output_use) {
        case OutputUse::Server:
            return std::min(context.n_seq_max, n_tokens);
        case OutputUse::Perplexity:
            return n_tokens;
        case OutputUse::Cli:
        case OutputUse::Bench:
            break;
    }
    return 1;
}

const Graph* graph_of_tier(const Inventory& inventory, std::uint32_t n_tokens) {
    for (const Graph& graph : inventory.graphs) {
        if (graph.n_tokens == n_tokens) return &graph;
    }
    return nullptr;
}

}  // namespace pshard
