// Puts the pieces of a graph together, so that the whole is planned.
//
// llama.cpp cuts a graph where it computes something itself, such as attention that the GPU has no
// kernel for, and reserves each piece alone. A piece reads the weights of one layer or two: a plan
// made by it would know nothing of the others, not even which of them the GPU can compute with.
//
//   llama.cpp's graph   [ piece ][ attention: its CPU ][ piece ][ attention ][ piece ]
//   joined              [ piece ][ piece ][ piece ]
//
// What one piece computes and another reads stays an input of the latter, as it is when it runs.
#pragma once

#include <vector>

#include "inventory/inventory.h"

struct ggml_cgraph;

namespace pshard {

// The states that nodes of the graph write into, by index, in order.
std::vector<int> written_states(const Graph& graph);

// Where a piece lies: `nodes` to `nodes_end` of llama.cpp's graph `whole`.
struct PiecePlace {
    const void* whole = nullptr;
    const void* nodes = nullptr;
    const void* nodes_end = nullptr;
};

PiecePlace place_of(const ggml_cgraph& piece);

// Whether a piece goes on with the graph of another that came before it.
bool is_behind(const PiecePlace& piece, const PiecePlace& before);

class JoinedPieces {
public:
    // The piece behind those that came before of its graph; a first piece begins a graph anew. So
    // does one that writes into a state that was written: another graph in the same memory.
    const Graph& add(const PiecePlace& place, Graph piece);

    // The tensors that the Refs mean are gone.
    void drop() { last_ = {}; }

private:
    PiecePlace last_{};
    Graph graph_{};
};

}  // namespace pshard
