#include "cost/state_traffic.h"

#include <algorithm>

namespace pshard {

namespace {

// Whether a cell is a column, spread over the whole tensor: so V lies without flash attention.
bool is_transposed(const State& state, const Inventory& inventory) {
    return !inventory.flash_attention && state.name.starts_with("cache_v");
}

}  // namespace

StateTraffic state_traffic(const State& state,
                           const Graph& graph,
                           const Inventory& inventory,
                           std::uint32_t depth_tokens) {
    const bool by_cells = state.kind == StateKind::Kv && state.n_cells > 0;
    if (!by_cells || is_transposed(state, inventory)) return {state.bytes, state.bytes};
    const auto cells = static_cast<std::uint64_t>(state.n_cells);
    const std::uint64_t n_seqs = std::max<std::uint32_t>(1, graph.n_seqs);
    const std::uint64_t used = std::min(cells, n_seqs * depth_tokens);
    const std::uint64_t written = std::min<std::uint64_t>(cells, graph.n_tokens);
    const Bytes row = state.bytes / cells;
    return {row * used, row * written};
}

}  // namespace pshard
