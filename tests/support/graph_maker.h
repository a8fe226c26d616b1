// Makes inventories by hand: tensors with the sizes that their shapes say, nodes that read them by
// name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "inventory/inventory.h"

namespace pshard {

// Layer, side and routing follow from the name.
void add_weight(Inventory& inventory, const std::string& name, const char* type, Shape shape);

// "NAME" + layer: f16 and as many cells as rows for a KV cache, f32 for a recurrent state.
void add_state(Inventory& inventory, const char* name, int layer, Shape shape, StateKind kind);

// "NAME-LAYER", as llama.cpp names nodes.
std::string layer_name(std::string_view name, int layer);

// Adds inputs and nodes to a graph. Values are f32.
class GraphMaker {
public:
    GraphMaker(const Inventory& inventory, Graph& graph) : inventory_(inventory), graph_(graph) {}

    Ref input(const std::string& name, const char* type, Shape shape);
    Ref node(const char* op, std::string name, int layer, Shape shape, std::vector<Ref> sources);

    // A node that lies in the memory of `of`, or of what that is a view of.
    Ref view(const char* op, std::string name, int layer, Shape shape, Ref of);

    // A node that writes into a state, and whose value the state is.
    Ref write(const char* op, std::string name, int layer, std::vector<Ref> sources, Ref into);

    void mark_output() { graph_.nodes.back().is_output = true; }

    Ref weight(std::string_view name) const;
    Ref layer_weight(int layer, std::string_view part) const;  // "blk.LAYER.PART"
    Ref state(std::string_view name, int layer) const;

    Graph& graph() { return graph_; }

private:
    void store_in(Ref of);

    const Inventory& inventory_;
    Graph& graph_;
};

}  // namespace pshard
