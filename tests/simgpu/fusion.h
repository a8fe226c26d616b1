// Nodes that GPU backends compute by one kernel, and whether their memory bears it.
//
// A fused kernel reads the first node's inputs while it writes the last node's result: an input
// that is dead by then may lie under that result. The table in fusion.cpp is that of ggml's CUDA
// and Vulkan backends in llama.cpp v0.5.0. Before some fusions they look at addresses themselves
// and compute node by node where ranges overlap; but they look over no tensor without an op, which
// is how copies from another device and inputs of a graph look.
//
//   node by node   a = f(x)   x dies   b = g(a)      b may lie on x
//   fused          b = g(f(x))                       it may not, other than element on element
#pragma once

#include <string>
#include <vector>

#include "simgpu/checker.h"

struct ggml_cgraph;

namespace pshard::simgpu {

// What would go wrong with the nodes of the graph fused from node `first` on.
[[nodiscard]] std::vector<Fault> faults_of_fusion(const ggml_cgraph* graph, int first);

}  // namespace pshard::simgpu
