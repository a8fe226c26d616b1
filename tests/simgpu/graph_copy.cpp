#include "simgpu/graph_copy.h"

#include <unordered_map>

#include <ggml-backend-impl.h>
#include <ggml-impl.h>

namespace pshard::simgpu {

namespace {

using Places = std::unordered_map<const ggml_tensor*, std::size_t>;  // in the copy

// The tensors that the copy needs: nodes, their sources, and what those are views of.
class Collector {
public:
    void add(const ggml_tensor* tensor) {
        if (tensor == nullptr || !places_.try_emplace(tensor, tensors_.size()).second) return;
        tensors_.push_back(*tensor);
        add(tensor->view_src);
    }

    [[nodiscard]] const Places& places() const { return places_; }

    [[nodiscard]] std::vector<ggml_tensor>& tensors() { return tensors_; }

private:
    Places places_{};
    std::vector<ggml_tensor> tensors_{};
};

std::int32_t n_uses(const ggml_cgraph& graph, const ggml_tensor* tensor) {
    const ggml_hash_set& set = graph.visited_hash_set;
    if (set.size == 0 || graph.use_counts == nullptr) return 0;
    const std::size_t at = ggml_hash_find(&set, tensor);
    if (at == GGML_HASHSET_FULL || !ggml_bitset_get(set.used, at)) return 0;
    return graph.use_counts[at];
}

}  // namespace

GraphCopy::GraphCopy(const ggml_cgraph& original) {
    Collector collector;
    for (int i = 0; i < original.n_nodes; ++i) {
        collector.add(original.nodes[i]);
        for (const ggml_tensor* source : original.nodes[i]->src) collector.add(source);
    }
    const Places& places = collector.places();
    tensors_ = std::move(collector.tensors());
    const auto copy_of = [&](const ggml_tensor* tensor) -> ggml_tensor* {
        const auto found = places.find(tensor);
        return found == places.end() ? nullptr : &tensors_[found->second];
    };
    for (ggml_tensor& tensor : tensors_) {
        for (ggml_tensor*& source : tensor.src) source = copy_of(source);
        tensor.view_src = copy_of(tensor.view_src);
        tensor.buffer = nullptr;  // may be gone when the copy runs; kernels need addresses alone
        tensor.extra = nullptr;
    }
    const std::size_t size = tensors_.size() + 1;
    context_.reset(ggml_init(
        {ggml_graph_overhead_custom(size, false) + ggml_tensor_overhead(), nullptr, true}));
    graph_ = ggml_new_graph_custom(context_.get(), size, false);
    graph_->order = original.order;
    for (const auto& [tensor, place] : places) {
        const std::size_t at =
            ggml_hash_find_or_insert(&graph_->visited_hash_set, &tensors_[place]);
        graph_->use_counts[at] = n_uses(original, tensor);
    }
    for (int i = 0; i < original.n_nodes; ++i) {
        graph_->nodes[graph_->n_nodes++] = copy_of(original.nodes[i]);
    }
}

std::vector<const ggml_tensor*> GraphCopy::nodes() const {
    return {graph_->nodes, graph_->nodes + graph_->n_nodes};
}

std::shared_ptr<const GraphCopy> Recorder::graph_for(const ggml_cgraph& graph) {
    if (graph.uid == 0) return std::make_shared<const GraphCopy>(graph);
    if (recordings_.size() >= kMost) recordings_.clear();
    Recording& recording = recordings_[graph.nodes[0]];
    if (recording.uid != graph.uid) {
        recording = {graph.uid, std::make_shared<const GraphCopy>(graph)};
    }
    return recording.graph;
}

}  // namespace pshard::simgpu
