#include "runtime/graph_image.h"

#include <ggml-impl.h>

#include <cstring>
#include <unordered_set>

#include "capture/graph_reader.h"

namespace pshard {
namespace {

std::int32_t reads_of(const ggml_cgraph& graph, int node) {
    return reads_at_build(graph, graph.nodes[node]).value_or(-1);
}

}  // namespace

GraphImage::GraphImage(const ggml_cgraph& graph) {
    std::unordered_set<const ggml_tensor*> noted(graph.nodes, graph.nodes + graph.n_nodes);
    const auto note_other = [&](const ggml_tensor* tensor) {
        if (tensor != nullptr && noted.insert(tensor).second) note(tensor);
    };
    for (int i = 0; i < graph.n_nodes; ++i) {
        note(graph.nodes[i]);
        reads_.push_back(reads_of(graph, i));
    }
    for (int i = 0; i < graph.n_nodes; ++i) {
        note_other(graph.nodes[i]->view_src);
        for (const ggml_tensor* source : graph.nodes[i]->src) {
            note_other(source);
            if (source != nullptr) note_other(source->view_src);
        }
    }
}

// Padding is copied too: shows() compares all bytes.
void GraphImage::note(const ggml_tensor* tensor) {
    tensors_.push_back(tensor);
    std::memcpy(&copies_.emplace_back(), tensor, sizeof(*tensor));
}

// What is no node is looked at last: once the nodes are the same, so is what they point at, and
// those tensors are there.
bool GraphImage::shows(const ggml_cgraph& graph) const {
    const auto n_nodes = static_cast<std::size_t>(graph.n_nodes);
    if (reads_.size() != n_nodes) return false;
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
        if (i < n_nodes && graph.nodes[i] != tensors_[i]) return false;
        // NOLINTNEXTLINE(bugprone-suspicious-memory-comparison): note() copied the padding
        if (std::memcmp(tensors_[i], &copies_[i], sizeof(ggml_tensor)) != 0) return false;
        if (i < n_nodes && reads_of(graph, static_cast<int>(i)) != reads_[i]) return false;
    }
    return true;
}

}  // namespace pshard
