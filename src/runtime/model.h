// One model as the device sees it: weights, states and graphs, led back to an Inventory.
//
// llama.cpp does not say which tensors are one model's. Buffers of weights that one graph reads, or
// that graphs of one context read, belong together (a split model has one for each file), unless a
// name comes twice (a draft model has its own blk.0). States are tensors outside weight buffers
// that are named like a cache or that a graph writes into.
//
// A model that drafts may read weights of its target (EAGLE3, DFlash: the head). It borrows them:
// they count as its own, with a place of their own in its plan, but the buffer stays the target's.
//
// Indices do not change while a context lives: one that is freed leaves its states without a
// tensor, and the next context with equal states takes their place.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "capture/device_policy.h"
#include "capture/graph_reader.h"
#include "runtime/host_buffer.h"
#include "runtime/joined_pieces.h"

struct ggml_cgraph;

namespace pshard {

class Model {
public:
    explicit Model(const DevicePolicy& policy);

    // Whether the model knows no name of the buffer yet; else the buffer is another model's.
    [[nodiscard]] bool has_room_for(const HostBuffer& buffer) const;
    // Adds the buffer's weights. False, and nothing is added, if there is no room for it.
    bool add_weights(HostBuffer& buffer);
    // Adds a weight of another model's buffer; false, and it stays an input of each graph, if one
    // of the model's own has its name.
    bool borrow(const ggml_tensor& weight);
    // Adds the buffer's states; returns how many of them are new to the inventory.
    std::size_t add_states(HostBuffer& buffer);

    // Whether all states of the buffers can take the places of states whose context is gone.
    [[nodiscard]] bool has_places_for(const std::vector<HostBuffer*>& buffers) const;

    // Whether all contexts are gone. drop_contexts() then forgets what they left in the inventory,
    // so that the next one begins anew.
    [[nodiscard]] bool is_without_contexts() const;
    void drop_contexts();

    // Forgets a buffer that goes: its states lose their tensors. True if it held weights: the model
    // is gone.
    bool forget(const HostBuffer& buffer);

    [[nodiscard]] bool owns(const HostBuffer& buffer) const { return buffers_.contains(&buffer); }

    [[nodiscard]] bool borrows_from(const HostBuffer& buffer) const {
        return lenders_.contains(&buffer);
    }

    // nullptr for a state whose context is gone.
    [[nodiscard]] const ggml_tensor* weight(int index) const { return at(weights_, index); }

    [[nodiscard]] const ggml_tensor* state(int index) const { return at(states_, index); }

    // nullptr if the tensor is neither a weight nor a state of this model.
    [[nodiscard]] const Ref* find(const ggml_tensor* tensor) const { return index_.find(tensor); }

    // The inventory has no graphs until some were noted.
    [[nodiscard]] const Inventory& inventory() const { return inventory_; }

    // The graph that arrived, and the tensors of its inputs in their order.
    ReadGraph read(const ggml_cgraph& graph) const;

    // Keeps for the planner what was read of a graph, or of a piece that is joined with those
    // before it. For each number of tokens the graph that reads most weights stays (a context of
    // the MTP layers reads few), and of those the one whose inputs have most bytes.
    void note(const ggml_cgraph& graph, Graph read);

private:
    static const ggml_tensor* at(const std::vector<const ggml_tensor*>& tensors, int index) {
        return tensors[static_cast<std::size_t>(index)];
    }

    void add_weight(const ggml_tensor& tensor);
    void keep(Graph graph);
    int take_place(const State& state);
    void rebuild_index();

    const DevicePolicy& policy_;
    Inventory inventory_;
    std::vector<const ggml_tensor*> weights_;
    std::vector<const ggml_tensor*> states_;
    std::set<const HostBuffer*> buffers_;
    std::set<const HostBuffer*> lenders_;
    std::set<std::string> names_;
    TensorIndex index_;
    JoinedPieces pieces_;
};

// Tokens that a graph works on: the rows that most of its weight matrices are applied to, and where
// it has none, the most rows of any weight. 0: it reads no weights.
std::uint32_t tokens_of(const Graph& graph, const Inventory& inventory);

// Whether a tensor is named like a cache or a recurrent state of llama.cpp's.
bool is_state_name(std::string_view name);

}  // namespace pshard
