#include "capture/graph_reader.h"

#include <ggml-backend-impl.h>
#include <ggml-impl.h>
#include <ggml.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pshard {
namespace {

constexpr std::size_t kLongestName = GGML_MAX_NAME - 1;  // longer names are cut

Shape shape_of(const ggml_tensor* tensor) {
    return {tensor->ne[0], tensor->ne[1], tensor->ne[2], tensor->ne[3]};
}

bool is_view_op(ggml_op op) {
    return op == GGML_OP_VIEW || op == GGML_OP_RESHAPE || op == GGML_OP_PERMUTE ||
           op == GGML_OP_TRANSPOSE;
}

// ---- scheduler copies ----

bool visited_at_build(const ggml_cgraph& graph, const ggml_tensor* tensor) {
    const std::size_t slot = ggml_hash_find(&graph.visited_hash_set, tensor);
    return slot != GGML_HASHSET_FULL && ggml_bitset_get(graph.visited_hash_set.used, slot);
}

// NAME of "DEVICE#NAME#0"; nothing if the name has not that form.
std::optional<std::string_view> copied_name(const ggml_tensor* tensor) {
    std::string_view name = tensor->name;
    const std::size_t begin = name.find('#');
    if (begin == std::string_view::npos) return std::nullopt;
    const bool cut = name.size() == kLongestName;
    name.remove_prefix(begin + 1);
    if (cut) return name;
    const std::size_t end = name.rfind('#');
    if (end == std::string_view::npos) return std::nullopt;
    return name.substr(0, end);
}

bool is_copy(const ggml_cgraph& graph, const ggml_tensor* tensor) {
    return tensor->op == GGML_OP_NONE && tensor->view_src == nullptr &&
           !visited_at_build(graph, tensor) && copied_name(tensor).has_value();
}

bool same_layout(const ggml_tensor* a, const ggml_tensor* b) {
    return a->type == b->type && std::equal(a->ne, a->ne + GGML_MAX_DIMS, b->ne) &&
           std::equal(a->nb, a->nb + GGML_MAX_DIMS, b->nb);
}

bool could_be_copy_of(const ggml_tensor* copy, const ggml_tensor* source) {
    if (!same_layout(copy, source)) return false;
    const std::string_view wanted = *copied_name(copy);
    const std::string_view name = source->name;
    if (std::strlen(copy->name) < kLongestName) return wanted == name;
    return wanted.substr(0, name.size()) == name || name.starts_with(wanted);
}

// The tensors of a whole graph that lost readers to scheduler copies.
class CopySources {
public:
    explicit CopySources(const ggml_cgraph& graph) {
        std::vector<std::int32_t> deficit(graph.use_counts,
                                          graph.use_counts + graph.visited_hash_set.size);
        count_remaining_uses(graph, deficit);
        const auto consider = [&](const ggml_tensor* tensor, int position) {
            const std::size_t slot = ggml_hash_find(&graph.visited_hash_set, tensor);
            if (slot != GGML_HASHSET_FULL && deficit[slot] > 0) {
                sources_.push_back({tensor, position});
            }
        };
        for (int i = 0; i < graph.n_leafs; ++i) consider(graph.leafs[i], -1);
        for (int i = 0; i < graph.n_nodes; ++i) consider(graph.nodes[i], i);
    }

    // The source of `copy`, read by the node at `reader`; nullptr if the graph holds none.
    [[nodiscard]] const ggml_tensor* find(const ggml_tensor* copy, int reader) const {
        const ggml_tensor* last = nullptr;
        for (const Source& source : sources_) {
            if (source.position >= reader) break;
            if (could_be_copy_of(copy, source.tensor)) last = source.tensor;
        }
        return last;
    }

private:
    struct Source {
        const ggml_tensor* tensor;
        int position;  // of the node; -1: a leaf
    };

    static void count_remaining_uses(const ggml_cgraph& graph, std::vector<std::int32_t>& deficit) {
        for (int i = 0; i < graph.n_nodes; ++i) {
            for (const ggml_tensor* source : graph.nodes[i]->src) {
                if (source == nullptr) continue;
                const std::size_t slot = ggml_hash_find(&graph.visited_hash_set, source);
                if (slot == GGML_HASHSET_FULL) continue;
                if (graph.visited_hash_set.keys[slot] == source) --deficit[slot];
            }
        }
    }

    std::vector<Source> sources_;  // leafs, then nodes in order
};

// ---- the reader ----

constexpr int kNoLayer = -1;
constexpr int kUnknownLayer = -2;

class Reader {
public:
    Reader(const ggml_cgraph& graph, GraphScope scope, const GraphSurroundings& around)
        : graph_(graph),
          around_(around),
          alignment_(around.device.model().alignment),
          own_(static_cast<std::size_t>(graph.n_nodes) + 64) {
        if (scope == GraphScope::Whole) copies_.emplace(graph);
    }

    Graph read() {
        result_.nodes.reserve(static_cast<std::size_t>(graph_.n_nodes));
        layers_.reserve(static_cast<std::size_t>(graph_.n_nodes));
        for (int i = 0; i < graph_.n_nodes; ++i) add_node(graph_.nodes[i], i);
        spread_layers();
        return std::move(result_);
    }

private:
    void add_node(const ggml_tensor* tensor, int position) {
        Node node;
        node.op = ggml_op_desc(tensor);
        node.name = tensor->name;
        node.type = ggml_type_name(tensor->type);
        node.shape = shape_of(tensor);
        node.bytes = ggml_nbytes(tensor);
        node.is_view = is_view_op(tensor->op);
        node.is_output = (tensor->flags & GGML_TENSOR_FLAG_OUTPUT) != 0;
        node.contiguous = ggml_is_contiguous(tensor);
        node.device_supports = around_.device.supports(*tensor);
        for (const ggml_tensor* source : tensor->src) {
            if (source != nullptr) node.sources.push_back(ref_of(source, position));
        }
        if (tensor->view_src != nullptr) {
            node.has_storage = true;
            node.storage = ref_of(tensor->view_src, position);
        } else {
            node.alloc_bytes = aligned_tensor_bytes(around_.device, alignment_, *tensor);
        }
        layers_.push_back(own_layer(node));
        own_.add(tensor, {Ref::Kind::Node, position});
        result_.nodes.push_back(std::move(node));
    }

    Ref ref_of(const ggml_tensor* tensor, int reader) {
        if (const Ref* ref = around_.tensors.find(tensor)) return *ref;
        if (const Ref* ref = own_.find(tensor)) return *ref;
        Ref ref;
        if (!is_copy(graph_, tensor)) {
            ref = add_input(tensor, tensor->name);
        } else if (const ggml_tensor* source = copies_ ? copies_->find(tensor, reader) : nullptr) {
            ref = ref_of(source, reader);
        } else {
            ref = add_input(tensor, *copied_name(tensor));
        }
        own_.add(tensor, ref);
        return ref;
    }

    Ref add_input(const ggml_tensor* tensor, std::string_view name) {
        Input input;
        input.name = name;
        input.type = ggml_type_name(tensor->type);
        input.shape = shape_of(tensor);
        input.bytes = ggml_nbytes(tensor);
        input.alloc_bytes = aligned_tensor_bytes(around_.device, alignment_, *tensor);
        result_.inputs.push_back(std::move(input));
        return {Ref::Kind::Input, static_cast<int>(result_.inputs.size()) - 1};
    }

    [[nodiscard]] int own_layer(const Node& node) const {
        if (const int layer = layer_of_node_name(node.name); layer >= 0) return layer;
        for (const Ref& source : node.sources) {
            const auto index = static_cast<std::size_t>(source.index);
            if (source.kind == Ref::Kind::Weight) return around_.inventory.weights[index].layer;
            if (source.kind == Ref::Kind::State) return around_.inventory.states[index].layer;
        }
        return kUnknownLayer;
    }

    void spread_layers() {
        int next = kUnknownLayer;
        for (std::size_t i = layers_.size(); i-- > 0;) {
            if (layers_[i] == kUnknownLayer) layers_[i] = next;
            next = layers_[i];
        }
        int last = kNoLayer;
        for (std::size_t i = 0; i < layers_.size(); ++i) {
            if (layers_[i] == kUnknownLayer) layers_[i] = last;
            last = layers_[i];
            result_.nodes[i].layer = last;
        }
    }

    const ggml_cgraph& graph_;
    const GraphSurroundings& around_;
    Bytes alignment_;
    std::optional<CopySources> copies_;
    TensorIndex own_;  // nodes, inputs and resolved copies of this graph
    std::vector<int> layers_;
    Graph result_;
};

}  // namespace

Graph read_graph(const ggml_cgraph& graph, GraphScope scope, const GraphSurroundings& around) {
    return Reader(graph, scope, around).read();
}

int layer_of_node_name(std::string_view name) {
    name = name.substr(0, name.find(" ("));
    const std::size_t dash = name.rfind('-');
    if (dash == std::string_view::npos || dash + 1 == name.size()) return -1;
    int layer = -1;
    const char* end = name.data() + name.size();
    const auto [stop, error] = std::from_chars(name.data() + dash + 1, end, layer);
    return error == std::errc{} && stop == end && layer >= 0 ? layer : -1;
}

}  // namespace pshard
