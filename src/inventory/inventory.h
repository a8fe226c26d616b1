// WHAT must be placed: a model in a context, as plain values.
//
// An Inventory is captured once per model and context (src/capture/) and is all that the planner
// ever knows of the model: no llama.cpp, no GGUF and no GPU are needed after it. It has a text
// form (inventory/inventory_text.h) and can be planned on another machine.
//
//   weights   the tensors of the model file, as the device would allocate them
//   states    the KV cache and the recurrent state of each layer
//   graphs    the compute graph of each tier, as llama.cpp built it: a reader of a copy that the
//             scheduler made reads the copy's source again
//
// All sizes are in bytes, all shapes in ggml's order: shape[0] is the contiguous dimension.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/units.h"
#include "inventory/context_spec.h"
#include "inventory/tier_key.h"

namespace pshard {

using Shape = std::array<std::int64_t, 4>;

// The side of a layer that a weight is on; strategies place the two sides apart. The name of the
// weight decides, as published [S11]: `blk.N.ffn_{up,gate,down}.*` and
// `blk.N.ffn_{up,down,gate,gate_up}_{ch,}exps.*` are on the FFN side. The attention side holds the
// rest of a layer: attention, norms, the router and shared experts.
enum class Side {
    Input,      // always in host memory: token_embd, and what llama.cpp loads to no device
    Attention,  // attention and dense parts of a layer
    Ffn,        // feed-forward or routed experts of a layer
    Output,     // output norm and head, and all else that belongs to no layer
};

struct Weight {
    std::string name;  // GGUF name; a tied head is its own weight, "output.weight"
    std::string type;  // ggml type name: "q4_K"
    Shape shape{1, 1, 1, 1};
    Bytes bytes = 0;        // in host memory
    Bytes alloc_bytes = 0;  // on the device, padded and aligned
    int layer = -1;         // -1: belongs to no layer
    Side side = Side::Output;
    bool routed = false;  // holds shape[2] routed experts, of which each token reads a few

    bool operator==(const Weight&) const = default;
};

enum class StateKind { Kv, Recurrent };

struct State {
    std::string name;  // llama.cpp's name: "cache_k_l0", "cache_s_l3"
    std::string type;
    Shape shape{1, 1, 1, 1};
    Bytes bytes = 0;
    Bytes alloc_bytes = 0;
    int layer = -1;
    StateKind kind = StateKind::Kv;
    std::int64_t n_cells = 0;  // cells of all streams together; 0 for recurrent state

    bool operator==(const State&) const = default;
};

// What a node of a graph reads: an earlier node, a weight, a state, or an input of the graph.
struct Ref {
    enum class Kind : std::uint8_t { Node, Weight, State, Input };

    Kind kind = Kind::Node;
    int index = 0;  // into Graph::nodes, Inventory::weights, Inventory::states, Graph::inputs

    bool operator==(const Ref&) const = default;
};

// A tensor that the host writes before each pass: token ids or their embeddings, positions, masks,
// cache indices, output ids.
struct Input {
    std::string name;
    std::string type;
    Shape shape{1, 1, 1, 1};
    Bytes bytes = 0;
    Bytes alloc_bytes = 0;

    bool operator==(const Input&) const = default;
};

// One operation. A node with `is_view` (VIEW, RESHAPE, PERMUTE, TRANSPOSE) computes nothing. A node
// with a `storage` lives in another tensor's memory (a view, SET_ROWS into the cache) and needs no
// memory of its own.
struct Node {
    std::string op;    // ggml_op_name, or the unary/GLU name: "MUL_MAT", "SILU", "SWIGLU"
    std::string name;  // llama.cpp's name: "ffn_out-12"
    std::string type;
    Shape shape{1, 1, 1, 1};
    Bytes bytes = 0;
    Bytes alloc_bytes = 0;  // on the device; counts only for a node without a storage
    int layer = -1;         // from the name's suffix or the weights that it reads; -1: unknown
    bool is_view = false;
    bool has_storage = false;  // true: `storage` says whose memory it lives in
    Ref storage;               // the owner of the memory, never itself a view
    bool is_output = false;    // its value must live to the end of the graph
    bool contiguous = true;
    bool device_supports = true;  // the answer of the device's supports_op
    std::vector<Ref> sources;     // in ggml's order, without the empty ones

    bool operator==(const Node&) const = default;
};

struct Graph {
    std::uint32_t n_tokens = 0;  // tokens of the batch that it computes
    std::uint32_t n_depth = 0;   // TierKey::n_depth; a captured graph is for the whole context
    std::uint32_t n_seqs = 0;
    std::uint32_t n_outputs = 0;  // rows of logits
    std::vector<Input> inputs;
    std::vector<Node> nodes;  // in the order of execution

    // The tier that this is the graph of.
    [[nodiscard]] TierKey tier() const { return {n_tokens, n_depth}; }

    bool operator==(const Graph&) const = default;
};

// How a device allocates. The figures are those of a real device if there was one, else those of a
// named model of one.
struct DeviceModel {
    std::string name = "cuda";  // "cuda", "vulkan", or a real device's name
    Bytes alignment = 128;      // every tensor in a buffer begins at a multiple of it
    Bytes max_buffer_bytes = ~Bytes{0};

    bool operator==(const DeviceModel&) const = default;
};

struct Inventory {
    // identity of the model
    std::string model_name;         // general.name
    std::string architecture;       // general.architecture
    Bytes file_bytes = 0;           // the first split alone, as the published fingerprint takes it
    Bytes total_file_bytes = 0;     // all splits together
    std::uint64_t header_hash = 0;  // hash of the names, types and shapes of all tensors
    int n_layers = 0;               // layers that have weights
    int n_layers_unloaded = 0;      // MTP layers behind them that llama.cpp leaves in the file
    int n_experts = 0;              // 0: dense
    int n_experts_used = 0;
    std::uint32_t n_ctx_train = 0;
    int n_swa = 0;  // tokens that a layer with a sliding window looks back; 0: none has one
    bool has_recurrent = false;
    bool head_is_tied = false;  // "output.weight" is llama.cpp's second copy of token_embd

    ContextSpec context;
    bool flash_attention = true;  // what llama.cpp uses, which -fa auto leaves to it
    DeviceModel device;

    std::vector<Weight> weights;
    std::vector<State> states;
    std::vector<Graph> graphs;  // one per tier, in the order of their keys

    bool operator==(const Inventory&) const = default;
};

// Whether some caches are only as long as a window and one ubatch, so that their size changes with
// n_ubatch.
bool is_windowed(const Inventory& inventory);

// The graph of the tier; nullptr if it was not captured.
const Graph* graph_of_tier(const Inventory& inventory, const TierKey& tier);

}  // namespace pshard
