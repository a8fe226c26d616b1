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

std::uint32_t tokens_per_sequence(const ContextSpec& context) {
    if (context.kv_unified || context.n_seq_max <= 1) return context.n_ctx;
    const auto padded = [](std::uint64_t tokens) {
        constexpr std::uint64_t kPadding = 256;
        return (tokens + kPadding - 1) / kPadding * kPadding;
    };
    return static_cast<std::uint32_t>(padded(padded(context.n_ctx) / context.n_seq_max));
}

bool is_windowed(const Inventory& inventory) {
    return inventory.n_swa > 0 && !inventory.context.swa_full;
}

const Graph* graph_of_tier(const Inventory& inventory, const TierKey& tier) {
    for (const Graph& graph : inventory.graphs) {
        if (graph.tier() == tier) return &graph;
    }
    return nullptr;
}

}  // namespace pshard
