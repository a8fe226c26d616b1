// Models small enough that sums are done by hand, shaped as llama.cpp builds the real ones.
//
// Sizes of ToyModel{}, in bytes, alignment 1, weights f16 and norms f32:
//
//   token_embd 16   output_norm 8   output 16
//   attention side of a layer:  attn_norm 8  q 8  k 8  v 8  output 8  ffn_norm 8       = 48
//   FFN side of a layer:        gate 16  up 16  down 16                                = 48
//   routed, 4 experts:          gate 64  up 64  down 64 = 192; the router's 32 are attention side
//   shared expert, width 4:     gate 16  up 16  down 16 on the attention side
//   KV cache of a layer:        k 32  v 32                                             = 64
//   a value of n tokens:        8 n
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "plan/assignment.h"
#include "plan/placement.h"

namespace pshard {

struct ToyModel {
    int n_layers = 2;
    int n_embd = 2;
    int n_ff = 4;
    int n_vocab = 4;
    int n_cells = 8;    // of the KV cache
    int n_experts = 0;  // 0: dense
    int n_experts_used = 2;
    int n_shared_ff = 0;    // width of the shared expert; 0: none
    int n_recurrent = 0;    // the first layers keep a recurrent state instead of a KV cache
    bool tied_head = true;  // output.weight is as token_embd; else f32, twice the bytes
    bool sinks = false;     // attention reads a small weight of its own
    Bytes alignment = 1;
    std::vector<std::uint32_t> tiers = {1, 4};
};

Inventory toy_model(const ToyModel& model);

// `n_layers` of the above; with 4 experts, 2 used, and a shared expert.
Inventory toy_dense(int n_layers);
Inventory toy_moe(int n_layers);

// A model without sense: layers of random ops over random values, with views, in-place writers,
// nodes that the device does not support, dead ends and several outputs. One graph. Same seed, same
// model on every machine.
Inventory random_model(std::uint64_t seed);

// Indices by name; the name must be there.
int weight_index(const Inventory& inventory, std::string_view name);
int state_index(const Inventory& inventory, std::string_view name);
int node_index(const Graph& graph, std::string_view name);

// Everything on one lane; token_embd stays on the CPU.
Placement uniform_placement(const Inventory& inventory, Lane lane);

// Moves one side of a layer; the states of the layer go with the attention side.
void place_side(Placement& placement, const Inventory& inventory, int layer, Side side, Lane lane);
void place_layer(Placement& placement, const Inventory& inventory, int layer, Lane lane);

// How freely random_placement draws.
enum class Draw {
    Sides,    // a lane per side of a layer, streamed sides alternating A and B
    Weights,  // a lane per weight; states follow the first attention weight of their layer
};

// token_embd, and what nodes without device support read, stay on the CPU.
Placement random_placement(const Inventory& inventory, Draw draw, std::uint64_t seed);

}  // namespace pshard
