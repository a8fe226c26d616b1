#include "plan/graph_facts.h"

#include <algorithm>

#include "inventory/tensor_view.h"
#include "ops/op_table.h"

namespace pshard {
namespace {

int index_if(const Node& node, Ref::Kind kind) {
    return node.has_storage && node.storage.kind == kind ? node.storage.index : -1;
}

}  // namespace

NodeFacts facts_of(const Inventory& inventory, const Node& node) {
    NodeFacts facts;
    const OpRule& rule = op_rule(node.op);
    facts.home = index_if(node, Ref::Kind::State);
    facts.viewed = index_if(node, Ref::Kind::Node);
    facts.has_storage = node.has_storage;
    facts.is_view = node.is_view;
    facts.in_place = rule.in_place;
    facts.device_supports = node.device_supports;
    const auto weight = std::ranges::find(node.sources, Ref::Kind::Weight, &Ref::kind);
    if (weight == node.sources.end() || !rule.weights_decide) return facts;
    facts.deciding_weight = weight->index;
    facts.offloads = offload_rows(rule, node.shape) >= kOffloadMinRows &&
                     inventory.weights[static_cast<std::size_t>(weight->index)].side != Side::Input;
    return facts;
}

GraphFacts::GraphFacts(const Inventory& inventory, const Graph& graph)
    : inventory_(inventory), graph_(graph) {
    nodes_.reserve(graph.nodes.size());
    for (const Node& node : graph.nodes) {
        nodes_.push_back(facts_of(inventory, node));
        for (const Ref& source : node.sources) {
            sources_.refs.push_back(source);
            add_memory(root_of(source, graph));
        }
        if (node.has_storage) add_memory(node.storage);
        for (Lists* lists : {&sources_, &memories_}) lists->begin.push_back(lists->refs.size());
    }
}

void GraphFacts::add_memory(const Ref& root) {
    const bool is_memory = root.kind == Ref::Kind::Weight || root.kind == Ref::Kind::State;
    if (is_memory) memories_.refs.push_back(root);
}

}  // namespace pshard
