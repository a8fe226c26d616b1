// What no placement changes of a graph, and the steps of plan/lowered.h for who takes them many
// times. Packed, since a walk over thousands of Nodes waits for memory.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "plan/lowered.h"

namespace pshard {

struct NodeFacts {
    int deciding_weight = -1;  // where it lies, the node runs; -1: none decides
    int home = -1;             // the state that the node writes into or views; -1: none
    int viewed = -1;           // the node in whose memory this one lies; -1: none
    bool has_storage = false;
    bool is_view = false;
    bool in_place = false;  // its op may write over an operand
    bool device_supports = true;
    bool offloads = false;  // stock llama.cpp uploads the deciding weight if that is the CPU's
};

NodeFacts facts_of(const Inventory& inventory, const Node& node);

// The facts of one graph, found in one walk. Inventory and graph must outlive this.
class GraphFacts {
public:
    GraphFacts(const Inventory& inventory, const Graph& graph);

    const Inventory& inventory() const { return inventory_; }

    const Graph& graph() const { return graph_; }

    const std::vector<NodeFacts>& nodes() const { return nodes_; }  // by Graph::nodes

    // Node::sources.
    std::span<const Ref> sources(std::size_t node) const { return sources_.of(node); }

    // The weights and states that the node reads, directly or by a view, in the order of its
    // sources, and the one whose memory it lives in.
    std::span<const Ref> memories(std::size_t node) const { return memories_.of(node); }

private:
    // A list for each node, in one vector.
    struct Lists {
        std::vector<std::size_t> begin{0};
        std::vector<Ref> refs{};

        std::span<const Ref> of(std::size_t node) const {
            return std::span(refs).subspan(begin[node], begin[node + 1] - begin[node]);
        }
    };

    void add_memory(const Ref& root);

    const Inventory& inventory_;
    const Graph& graph_;
    std::vector<NodeFacts> nodes_;
    Lists sources_;
    Lists memories_;
};

// As the functions of these names, and lower(), that find the facts themselves.
std::vector<Device> assign_nodes(const GraphFacts& facts,
                                 const Placement& placement,
                                 OpOffload offload);
StageCut cut_stages(const GraphFacts& facts,
                    const Placement& placement,
                    const StageOptions& options);
ScratchLayout scratch_peaks(const GraphFacts& facts, const CutGraph& placed, PackingMemo& memo);
Lowered lower_by_facts(const GraphFacts& facts,
                       Placement placement,
                       const StageOptions& options,
                       LowerUntil until);

}  // namespace pshard
