// How a ggml graph is read, with the scheduler's copies led back to their sources.
//
// In:   a graph as ggml's scheduler leaves it, and the weights and states by pointer.
// Out:  inputs, nodes and their Refs: the graph as the model's code built it.
//
// If a node reads a tensor on another device than the tensor lives on, the scheduler makes a copy
// of the tensor, in a context of its own, and makes the copy the node's source:
//
//     built:      value ------> add              left:   value      add
//                   `---------> square (CPU)               `--> ... "CPU#value#0" <- square
//                                                          ^ lost a reader    ^ no link back
//
// The copy has no link to its source, and names repeat. What the scheduler cannot hide:
//
//   1. A copy is not in the graph's hash set, which was filled when the graph was built.
//   2. The source of a copy has lost readers: its use count, taken when the graph was built, is
//      above the readers that are left. No other tensor of the graph has lost any.
//   3. The source has the NAME in the copy's "DEVICE#NAME#0" (of which 63 characters are kept), and
//      the copy's type, shape and strides. It has lost as many readers as the copy has, or more if
//      it was copied to several devices.
//   4. If several tensors fit (the views of the experts' outputs have one name), copies and sources
//      pair in order: the scheduler makes copies in the order of their first readers.
//
// A split is a part of such a graph. The source of a copy lies outside the split, so the copy
// becomes an Input of that NAME. A node that the rest of the graph reads must outlive the split: it
// is an output if it has fewer readers in the split than were counted when the graph was built.
//
// The layer of a node is the number that ends its name ("ffn_out-12"), else the layer of the first
// weight or state that it reads, else that of the next node that has one, else of the last before.
//
// Trap: a tensor without an op may stand among the nodes. The host writes it, so it is an Input,
// and the node is a view of that Input.
#include "capture/graph_reader.h"

#include <ggml-backend-impl.h>
#include <ggml-impl.h>
#include <ggml.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "capture/tensor_facts.h"

namespace pshard {
namespace {

constexpr std::size_t kLongestName = GGML_MAX_NAME - 1;  // ggml cuts longer names

bool is_view_op(ggml_op op) {
    return op == GGML_OP_VIEW || op == GGML_OP_RESHAPE || op == GGML_OP_PERMUTE ||
           op == GGML_OP_TRANSPOSE;
}

// ---- scheduler copies ----

bool visited_at_build(const ggml_cgraph& graph, const ggml_tensor* tensor) {
    if (graph.visited_hash_set.size == 0) return false;
    const std::size_t slot = ggml_hash_find(&graph.visited_hash_set, tensor);
    return slot != GGML_HASHSET_FULL && ggml_bitset_get(graph.visited_hash_set.used, slot);
}

// The NAME in a copy's name, "DEVICE#NAME#0". A name of 63 characters may have lost its end.
struct CopyName {
    std::string_view source;
    bool cut = false;
};

std::optional<CopyName> copy_name(const ggml_tensor* tensor) {
    const std::string_view name = tensor->name;
    const std::size_t begin = name.find('#');
    if (begin == std::string_view::npos) return std::nullopt;
    const bool cut = name.size() == kLongestName;
    const std::size_t end = cut ? name.size() : name.rfind('#');
    if (end == begin) return std::nullopt;
    return CopyName{name.substr(begin + 1, end - begin - 1), cut};
}

bool is_copy(const ggml_cgraph& graph, const ggml_tensor* tensor) {
    return tensor->op == GGML_OP_NONE && tensor->view_src == nullptr &&
           !visited_at_build(graph, tensor) && copy_name(tensor).has_value();
}

bool same_layout(const ggml_tensor* a, const ggml_tensor* b) {
    return a->type == b->type && std::equal(a->ne, a->ne + GGML_MAX_DIMS, b->ne) &&
           std::equal(a->nb, a->nb + GGML_MAX_DIMS, b->nb);
}

// A name that was cut may still hold a part of the "#0" at its end.
bool names_match(const CopyName& copy, std::string_view source) {
    if (!copy.cut) return copy.source == source;
    return source.starts_with(copy.source) || copy.source.starts_with(source);
}

// The tensors of a whole graph that lost readers to scheduler copies.
class CopySources {
public:
    explicit CopySources(const ggml_cgraph& graph) {
        std::vector<std::int32_t> lost(graph.use_counts,
                                       graph.use_counts + graph.visited_hash_set.size);
        count_reads(graph, lost);
        const auto consider = [&](const ggml_tensor* tensor) {
            const std::size_t slot = ggml_hash_find(&graph.visited_hash_set, tensor);
            if (slot != GGML_HASHSET_FULL && lost[slot] > 0)
                sources_.push_back({tensor, lost[slot]});
        };
        std::for_each(graph.leafs, graph.leafs + graph.n_leafs, consider);
        std::for_each(graph.nodes, graph.nodes + graph.n_nodes, consider);
    }

    // The source of `copy`; nullptr if the graph holds none. To be called once for each copy, in
    // the order of their first readers.
    const ggml_tensor* take(const ggml_tensor* copy) {
        const CopyName name = *copy_name(copy);
        const int reads = reads_of_copies_[copy];
        Source* found = nullptr;
        for (Source& source : sources_) {
            if (source.lost < reads || !same_layout(copy, source.tensor) ||
                !names_match(name, source.tensor->name)) {
                continue;
            }
            if (found == nullptr || (source.lost == reads && found->lost != reads)) found = &source;
        }
        if (found == nullptr) return nullptr;
        found->lost -= reads;
        return found->tensor;
    }

private:
    struct Source {
        const ggml_tensor* tensor;
        int lost;  // readers that no copy taken so far accounts for
    };

    void count_reads(const ggml_cgraph& graph, std::vector<std::int32_t>& lost) {
        for (int i = 0; i < graph.n_nodes; ++i) {
            for (const ggml_tensor* source : graph.nodes[i]->src) {
                if (source != nullptr) count_read(graph, source, lost);
            }
        }
    }

    void count_read(const ggml_cgraph& graph,
                    const ggml_tensor* source,
                    std::vector<std::int32_t>& lost) {
        if (visited_at_build(graph, source)) {
            --lost[ggml_hash_find(&graph.visited_hash_set, source)];
        } else {
            ++reads_of_copies_[source];
        }
    }

    std::vector<Source> sources_;  // leafs, then nodes, in the order of the graph
    std::unordered_map<const ggml_tensor*, int> reads_of_copies_;
};

// ---- the reader ----

constexpr int kNoLayer = -1;
constexpr int kUnknownLayer = -2;

class Reader {
public:
    Reader(const ggml_cgraph& graph, const GraphSurroundings& around)
        : graph_(graph),
          around_(around),
          alignment_(around.device.model().alignment),
          own_(static_cast<std::size_t>(graph.n_nodes) + 64) {}

    Graph read_whole() {
        copies_.emplace(graph_);
        return read().graph;
    }

    ReadGraph read() {
        Graph& result = result_.graph;
        result.nodes.reserve(static_cast<std::size_t>(graph_.n_nodes));
        layers_.reserve(static_cast<std::size_t>(graph_.n_nodes));
        for (int i = 0; i < graph_.n_nodes; ++i) add_node(graph_.nodes[i], i);
        spread_layers();
        return std::move(result_);
    }

    // Reads a split: nodes that the rest of the graph reads become outputs, so that they outlive
    // it.
    ReadGraph read_part() {
        ReadGraph part = read();
        const std::vector<int> reads = reads_in_part();
        for (int i = 0; i < graph_.n_nodes; ++i) {
            const int known = reads_at_build(graph_, graph_.nodes[i]).value_or(0);
            const bool lives_on = known <= 0 || known > reads[static_cast<std::size_t>(i)];
            Node& node = part.graph.nodes[static_cast<std::size_t>(i)];
            node.is_output = node.is_output || lives_on;
        }
        return part;
    }

private:
    // How often the nodes of this split read each of its nodes.
    [[nodiscard]] std::vector<int> reads_in_part() const {
        std::vector<int> reads(static_cast<std::size_t>(graph_.n_nodes));
        const auto count = [&](const ggml_tensor* tensor) {
            const Ref* ref = tensor != nullptr ? own_.find(tensor) : nullptr;
            if (ref != nullptr && ref->kind == Ref::Kind::Node) {
                ++reads[static_cast<std::size_t>(ref->index)];
            }
        };
        for (int i = 0; i < graph_.n_nodes; ++i) {
            const ggml_tensor* tensor = graph_.nodes[i];
            std::for_each(tensor->src, tensor->src + GGML_MAX_SRC, count);
        }
        return reads;
    }

    void add_node(const ggml_tensor* tensor, int position) {
        Node node;
        node.op = ggml_op_desc(tensor);
        node.name = tensor->name;
        node.type = ggml_type_name(tensor->type);
        node.shape = shape_of(*tensor);
        node.bytes = ggml_nbytes(tensor);
        node.is_view = is_view_op(tensor->op);
        node.is_output = (tensor->flags & GGML_TENSOR_FLAG_OUTPUT) != 0;
        node.contiguous = ggml_is_contiguous(tensor);
        node.device_supports = around_.device.supports(*tensor);
        for (const ggml_tensor* source : tensor->src) {
            const bool reads = source != nullptr && source != tensor;  // a cast names itself
            if (reads) node.sources.push_back(ref_of(source));
        }
        if (tensor->op == GGML_OP_NONE && tensor->view_src == nullptr) {
            // The host writes this tensor, though it stands among the nodes.
            node.is_view = node.has_storage = true;
            node.storage = ref_of(tensor);
        } else if (tensor->view_src != nullptr) {
            node.has_storage = true;
            node.storage = ref_of(tensor->view_src);
        } else {
            node.alloc_bytes = aligned_tensor_bytes(around_.device, alignment_, *tensor);
        }
        layers_.push_back(own_layer(node));
        own_.add(tensor, {Ref::Kind::Node, position});
        result_.graph.nodes.push_back(std::move(node));
    }

    Ref ref_of(const ggml_tensor* tensor) {
        if (const Ref* ref = around_.tensors.find(tensor)) return *ref;
        if (const Ref* ref = own_.find(tensor)) return *ref;
        Ref ref;
        if (!is_copy(graph_, tensor)) {
            ref = add_input(tensor, tensor->name);
        } else if (const ggml_tensor* source = copies_ ? copies_->take(tensor) : nullptr) {
            ref = ref_of(source);
        } else {
            ref = add_input(tensor, copy_name(tensor)->source);
        }
        own_.add(tensor, ref);
        return ref;
    }

    Ref add_input(const ggml_tensor* tensor, std::string_view name) {
        Input input;
        input.name = name;
        input.type = ggml_type_name(tensor->type);
        input.shape = shape_of(*tensor);
        input.bytes = ggml_nbytes(tensor);
        input.alloc_bytes = aligned_tensor_bytes(around_.device, alignment_, *tensor);
        result_.graph.inputs.push_back(std::move(input));
        result_.inputs.push_back(tensor);
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
            result_.graph.nodes[i].layer = last;
        }
    }

    const ggml_cgraph& graph_;
    const GraphSurroundings& around_;
    Bytes alignment_;
    std::optional<CopySources> copies_;
    TensorIndex own_;  // nodes, inputs and resolved copies of this graph
    std::vector<int> layers_;
    ReadGraph result_;
};

}  // namespace

Graph read_graph(const ggml_cgraph& graph, const GraphSurroundings& around) {
    return Reader(graph, around).read_whole();
}

ReadGraph read_split(const ggml_cgraph& graph, const GraphSurroundings& around) {
    return Reader(graph, around).read_part();
}

std::optional<int> reads_at_build(const ggml_cgraph& graph, const ggml_tensor* tensor) {
    if (!visited_at_build(graph, tensor)) return std::nullopt;
    return graph.use_counts[ggml_hash_find(&graph.visited_hash_set, tensor)];
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
