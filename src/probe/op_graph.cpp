// How graphs of one op are made: nodes, operands and memory.
//
// In:   a case, a device, how many nodes in how many graphs.
// Out:  graphs that can be computed over and over.
//
//     cold operands   weights, K and V: each node takes the next stretch of the pool
//     warm operands   activations, masks, positions: all nodes share them
//     routes          the experts of each token: each node has its own
//     results         two of them take turns, so that a node waits for no other
//
// make_node (probe/op_nodes.h) asks an OperandSource for what a node reads. DrySource gives tensors
// without memory, which are enough to ask a device whether it computes the op and where weights
// would lie. PoolSource gives cold operands from the pool and remembers all others, which get
// memory and content when all nodes are known. The graphs are stretches of one whole, and each has
// a uid, by which a backend finds again what it made of the graph.
//
// Trap: views are nodes too, and take as many places in a graph as computations do.
#include "probe/op_graph.h"

#include <cstring>
#include <numeric>
#include <random>

#include <fmt/format.h>
#include <ggml-impl.h>

#include "probe/op_nodes.h"
#include "probe/sampler.h"

namespace pshard {

namespace {

// The most tensors of one node: its op, views and operands.
constexpr std::size_t kTensorsPerNode = 16;

ggml_tensor* new_tensor(ggml_context* context, ggml_type type, const Shape& shape) {
    return ggml_new_tensor_4d(context, type, shape[0], shape[1], shape[2], shape[3]);
}

// Gives tensors without memory, to ask what a device supports.
class DrySource final : public OperandSource {
public:
    explicit DrySource(ggml_context* context) : context_(context) {}

    ggml_tensor* operand(OperandKind kind, ggml_type type, const Shape& shape) override {
        has_cold_ = has_cold_ || kind == OperandKind::Weight;
        return new_tensor(context_, type, shape);
    }

    [[nodiscard]] bool has_cold() const { return has_cold_; }

private:
    ggml_context* context_;
    bool has_cold_ = false;
};

// Gives the operands of many nodes: cold ones from the pool, warm ones that all nodes share, and
// routes for each node.
class PoolSource final : public OperandSource {
public:
    PoolSource(ggml_context* context, OperandPool& pool) : context_(context), pool_(pool) {}

    // To be called before each node.
    void begin_node() { next_shared_ = 0; }

    ggml_tensor* operand(OperandKind kind, ggml_type type, const Shape& shape) override {
        if (kind == OperandKind::Weight) {
            ggml_tensor* weight = new_tensor(context_, type, shape);
            fits_ = pool_.place(weight) && fits_;
            return weight;
        }
        if (kind == OperandKind::Routes) {
            routes_.push_back(new_tensor(context_, type, shape));
            return routes_.back();
        }
        if (next_shared_ == shared_.size()) {
            shared_.push_back({kind, new_tensor(context_, type, shape)});
        }
        return shared_[next_shared_++].tensor;
    }

    struct Shared {
        OperandKind kind;
        ggml_tensor* tensor;
    };

    [[nodiscard]] bool fits() const { return fits_; }

    [[nodiscard]] const std::vector<Shared>& shared() const { return shared_; }

    [[nodiscard]] const std::vector<ggml_tensor*>& routes() const { return routes_; }

private:
    ggml_context* context_;
    OperandPool& pool_;
    bool fits_ = true;
    std::size_t next_shared_ = 0;
    std::vector<Shared> shared_{};
    std::vector<ggml_tensor*> routes_{};
};

std::vector<std::uint8_t> random_values(std::size_t bytes) {
    std::vector<float> values(bytes / sizeof(float));
    std::minstd_rand random(7);
    for (float& value : values) value = float(random() % 2001) / 1000.0F - 1.0F;
    std::vector<std::uint8_t> raw(bytes);
    std::memcpy(raw.data(), values.data(), values.size() * sizeof(float));
    return raw;
}

template <typename Integer>
std::vector<std::uint8_t> counting_values(std::size_t bytes) {
    std::vector<Integer> values(bytes / sizeof(Integer));
    std::iota(values.begin(), values.end(), Integer{0});
    std::vector<std::uint8_t> raw(bytes);
    std::memcpy(raw.data(), values.data(), bytes);
    return raw;
}

std::vector<std::uint8_t> content_of(OperandKind kind, const ggml_tensor* tensor) {
    const std::size_t bytes = ggml_nbytes(tensor);
    if (kind == OperandKind::Activation) return random_values(bytes);
    if (kind == OperandKind::Zeros) return std::vector<std::uint8_t>(bytes);
    return tensor->type == GGML_TYPE_I64 ? counting_values<std::int64_t>(bytes)
                                         : counting_values<std::int32_t>(bytes);
}

void set(ggml_tensor* tensor, const std::vector<std::uint8_t>& bytes) {
    ggml_backend_tensor_set(tensor, bytes.data(), 0, bytes.size());
}

// One buffer for the warm operands and for two results that take turns.
class WarmMemory {
public:
    explicit WarmMemory(ggml_backend_buffer_type_t type) : type_(type) {}

    void want(ggml_tensor* tensor) { wanted_.push_back(tensor); }

    void want_result(ggml_tensor* tensor) { results_.push_back(tensor); }

    Status place_all(OperandPool& pool) {
        const Bytes result = results_.empty() ? 0 : size_of(results_.front());
        Bytes total = 2 * result;
        for (const ggml_tensor* tensor : wanted_) total += size_of(tensor);
        const Result<ggml_backend_buffer_t> buffer = pool.warm(total);
        if (!buffer) return buffer.error();
        auto* base = static_cast<std::uint8_t*>(ggml_backend_buffer_get_base(buffer.value()));
        for (std::size_t i = 0; i < results_.size(); i++) {
            ggml_backend_tensor_alloc(
                buffer.value(), results_[i], base + (i % 2 == 0 ? 0 : result));
        }
        Bytes at = 2 * result;
        for (ggml_tensor* tensor : wanted_) {
            ggml_backend_tensor_alloc(buffer.value(), tensor, base + at);
            at += size_of(tensor);
        }
        return Done{};
    }

private:
    [[nodiscard]] Bytes size_of(const ggml_tensor* tensor) const {
        return align_up(ggml_backend_buft_get_alloc_size(type_, tensor),
                        ggml_backend_buft_get_alignment(type_));
    }

    ggml_backend_buffer_type_t type_;
    std::vector<ggml_tensor*> wanted_{};
    std::vector<ggml_tensor*> results_{};
};

Error too_large(const OpCase& op_case) {
    return {fmt::format("{}: its operands are larger than the memory set aside for them",
                        describe(op_case)),
            {}};
}

// Gives memory and content to the operands that were asked for while the nodes were made.
Status provide(const OpCase& op_case,
               const PoolSource& source,
               const std::vector<ggml_tensor*>& nodes,
               ggml_backend_dev_t device,
               OperandPool& pool) {
    WarmMemory memory(ggml_backend_dev_buffer_type(device));
    for (const auto& shared : source.shared()) memory.want(shared.tensor);
    for (ggml_tensor* ids : source.routes()) memory.want(ids);
    for (ggml_tensor* node : nodes) {
        if (node->view_src == nullptr) memory.want_result(node);
    }
    if (Status placed = memory.place_all(pool); !placed) return placed;
    for (const auto& shared : source.shared())
        set(shared.tensor, content_of(shared.kind, shared.tensor));
    std::uint32_t seed = 0;
    for (ggml_tensor* ids : source.routes()) {
        const std::vector<std::int32_t> values = routes(op_case, seed++);
        ggml_backend_tensor_set(ids, values.data(), 0, values.size() * sizeof(values[0]));
    }
    return Done{};
}

// Gives each view the memory of the tensor that it looks into.
void place_views(ggml_cgraph* graph) {
    for (int i = 0; i < ggml_graph_n_nodes(graph); i++) {
        ggml_tensor* node = ggml_graph_node(graph, i);
        if (node->view_src != nullptr && node->buffer == nullptr) ggml_backend_view_init(node);
    }
}

}  // namespace

Result<OpGraph> OpGraph::make(const OpCase& op_case,
                              ggml_backend_dev_t device,
                              OperandPool& pool,
                              int n_nodes,
                              int n_graphs) {
    const auto type = ggml_type_of(op_case.type);
    const auto n = static_cast<std::size_t>(n_nodes) * static_cast<std::size_t>(n_graphs);
    OpGraph made(GgmlContext(n * kTensorsPerNode), n_nodes);
    ggml_context* context = made.context_.get();
    made.whole_ = ggml_new_graph_custom(context, n * kTensorsPerNode, false);
    PoolSource source(context, pool);
    std::vector<ggml_tensor*> nodes;
    for (std::size_t i = 0; i < n; i++) {
        source.begin_node();
        ggml_tensor* node = type ? make_node(context, op_case, *type, source) : nullptr;
        if (node == nullptr) return Error{describe(op_case) + ": no such op or type", {}};
        if (!source.fits()) return too_large(op_case);
        nodes.push_back(node);
        ggml_build_forward_expand(made.whole_, node);
    }
    const Status provided = provide(op_case, source, nodes, device, pool);
    if (!provided) return provided.error();
    place_views(made.whole_);
    // Views are nodes too, and each computation has equally many.
    const int n_all = ggml_graph_n_nodes(made.whole_);
    for (int i = 0; i < n_graphs; i++) {
        const int begin = n_all / n_graphs * i;
        const int end = n_all / n_graphs * (i + 1);
        made.graphs_.push_back(
            std::make_shared<ggml_cgraph>(ggml_graph_view(made.whole_, begin, end)));
        made.graphs_.back()->uid = ggml_graph_next_uid();
    }
    return made;
}

const ggml_tensor* OpGraph::result() const { return ggml_graph_node(whole_, -1); }

Result<Seconds> OpGraph::compute(ggml_backend_t backend) {
    ggml_cgraph* graph = graphs_[next_++ % graphs_.size()].get();
    ggml_status status = GGML_STATUS_SUCCESS;
    const Seconds seconds = time_of([&] { status = ggml_backend_graph_compute(backend, graph); });
    if (status != GGML_STATUS_SUCCESS) {
        return Error{fmt::format("{} gave up on a graph: {}",
                                 ggml_backend_name(backend),
                                 ggml_status_to_string(status)),
                     {}};
    }
    return seconds / n_nodes_;
}

Result<ggml_backend_buffer_type_t> operand_buffer_type(ggml_backend_dev_t device,
                                                       const OpCase& op_case) {
    const auto type = ggml_type_of(op_case.type);
    const GgmlContext context(kTensorsPerNode);
    DrySource source(context.get());
    ggml_tensor* node = type ? make_node(context.get(), op_case, *type, source) : nullptr;
    if (node == nullptr) return Error{describe(op_case) + ": no such op or type", {}};
    if (!ggml_backend_dev_supports_op(device, node)) {
        return Error{
            fmt::format("{} does not support {}", ggml_backend_dev_name(device), describe(op_case)),
            {}};
    }
    if (!source.has_cold()) return static_cast<ggml_backend_buffer_type_t>(nullptr);
    if (is_matmul(op_case.op)) return weight_buffer_type(device, node);
    return ggml_backend_dev_buffer_type(device);
}

}  // namespace pshard
