#include "capture/graph_reader.h"

#include <ggml-backend.h>
#include <ggml-cpp.h>
#include <ggml-impl.h>
#include <ggml.h>

#include "build_paths.h"
#include "capture/capture_fixture.h"
#include "capture/device_model.h"
#include "capture/llama_session.h"
#include "capture/virtual_device.h"
#include "support/testing.h"

namespace pshard {
namespace {

// A device as CUDA that refuses some operations, so that llama.cpp runs them on the CPU.
class Choosy final : public DevicePolicy {
public:
    using Refuses = std::function<bool(const ggml_tensor&)>;

    explicit Choosy(Refuses refuses) : refuses_(std::move(refuses)) {}

    DeviceModel model() const override { return cuda_->model(); }

    Bytes tensor_bytes(const ggml_tensor& tensor) const override {
        return cuda_->tensor_bytes(tensor);
    }

    bool supports(const ggml_tensor& op) const override {
        return !refuses_(op) && cuda_->supports(op);
    }

    bool offloads(const ggml_tensor& op) const override { return cuda_->offloads(op); }

private:
    std::unique_ptr<DevicePolicy> cuda_ = make_cuda_model();
    Refuses refuses_;
};

// The first node that differs but for what the device supports; empty if none does.
std::string first_difference(Graph a, Graph b) {
    if (a.inputs != b.inputs) return "inputs";
    if (a.nodes.size() != b.nodes.size()) return "number of nodes";
    for (std::size_t i = 0; i < a.nodes.size(); ++i) {
        a.nodes[i].device_supports = b.nodes[i].device_supports;
        if (a.nodes[i] != b.nodes[i]) return a.nodes[i].op + " " + a.nodes[i].name;
    }
    return "";
}

struct Refusal {
    std::string name;
    Choosy::Refuses refuses;
};

void PrintTo(const Refusal& refusal, std::ostream* out) { *out << refusal.name; }

class SchedulerCopies : public CaptureTest,
                        public testing::WithParamInterface<std::tuple<std::string, Refusal>> {};

// Each refused operation makes the scheduler copy its sources to the CPU and its result back. Led
// back to their sources, the copies must leave the graph as it is without them.
TEST_P(SchedulerCopies, AreLedBackToTheirSources) {
    const auto& [arch, refusal] = GetParam();
    CaptureRequest request = request_for(tiny(arch), small_context());
    request.context.flash_attention = FlashAttention::Off;  // Auto would depend on the refusals
    const Inventory plain = captured(request);
    const auto choosy =
        test::value_of(capture_inventory(request, std::make_shared<Choosy>(refusal.refuses)));
    std::size_t n_refused = 0;
    for (std::size_t i = 0; i < plain.graphs.size(); ++i) {
        const Graph& graph = choosy.graphs[i];
        for (const Node& node : graph.nodes) n_refused += node.device_supports ? 0 : 1;
        EXPECT_EQ(first_difference(graph, plain.graphs[i]), "");
    }
    EXPECT_GT(n_refused, 0U);
}

std::vector<Refusal> refusals() {
    const auto op_is = [](ggml_op op) {
        return [op](const ggml_tensor& tensor) { return tensor.op == op; };
    };
    const auto every_third = [](const ggml_tensor& tensor) {
        std::size_t sum = 0;
        for (const char* c = tensor.name; *c != 0; ++c) sum += static_cast<unsigned char>(*c);
        const bool movable = tensor.op != GGML_OP_NONE && tensor.view_src == nullptr;
        const bool matrix = tensor.op == GGML_OP_MUL_MAT || tensor.op == GGML_OP_MUL_MAT_ID;
        return movable && !matrix && sum != 0 && sum % 3 == 0;
    };
    return {{"Norms", op_is(GGML_OP_RMS_NORM)},
            {"Additions", op_is(GGML_OP_ADD)},
            {"Ropes", op_is(GGML_OP_ROPE)},
            {"Gates", op_is(GGML_OP_GLU)},
            {"EveryThird", every_third}};
}

INSTANTIATE_TEST_SUITE_P(
    Models,
    SchedulerCopies,
    Combine(
        Values("llama", "gemma3", "qwen3moe", "deepseek2", "gpt-oss", "qwen3next", "granitehybrid"),
        ValuesIn(refusals())),
    test::NamedByParameter());

// ---- graphs made by hand ----

class GraphReaderTest : public testing::Test {
protected:
    void SetUp() override { ASSERT_TRUE(ensure_cpu_backend(PSHARD_LLAMA_BIN_DIR).ok()); }

    ggml_tensor* input(const char* name, std::int64_t size = 64) {
        ggml_tensor* tensor = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, size);
        ggml_set_name(tensor, name);
        ggml_set_input(tensor);
        return tensor;
    }

    ggml_tensor* named(ggml_tensor* tensor, const char* name) {
        ggml_set_name(tensor, name);
        return tensor;
    }

    ggml_tensor* weight(const std::string& name, int layer) {
        ggml_tensor* tensor = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 64);
        ggml_set_name(tensor, name.c_str());
        known_.add(tensor, {Ref::Kind::Weight, int(inventory_.weights.size())});
        Weight described;
        described.name = name;
        described.layer = layer;
        inventory_.weights.push_back(described);
        return tensor;
    }

    void end_with(ggml_tensor* tensor) { ggml_build_forward_expand(graph_, tensor); }

    Graph read() { return read_graph(*graph_, {known_, inventory_, *policy_}); }

    ggml_context_ptr context_{ggml_init({1024 * 1024, nullptr, true})};
    ggml_cgraph* graph_ = ggml_new_graph(context_.get());
    std::shared_ptr<const DevicePolicy> policy_ = make_cuda_model();
    TensorIndex known_;
    Inventory inventory_;
};

TEST_F(GraphReaderTest, NamesOpsAsGgmlDoes) {
    ggml_tensor* x = input("x");
    end_with(ggml_swiglu(context_.get(), ggml_silu(context_.get(), x)));
    const Graph graph = read();
    ASSERT_EQ(graph.nodes.size(), 2U);
    EXPECT_EQ(graph.nodes[0].op, "SILU");
    EXPECT_EQ(graph.nodes[1].op, "SWIGLU");
    EXPECT_EQ(graph.nodes[1].shape[0], 32);
    EXPECT_EQ(graph.nodes[1].bytes, 128U);
    ASSERT_EQ(graph.inputs.size(), 1U);
    EXPECT_EQ(graph.inputs[0].alloc_bytes, 256U);
}

TEST_F(GraphReaderTest, FollowsViewsToTheirRoot) {
    ggml_tensor* value = ggml_silu(context_.get(), input("x"));
    ggml_tensor* matrix = ggml_reshape_2d(context_.get(), value, 8, 8);
    ggml_tensor* turned = ggml_transpose(context_.get(), matrix);
    end_with(ggml_sum_rows(context_.get(), ggml_cont(context_.get(), turned)));
    const Graph graph = read();
    ASSERT_EQ(graph.nodes.size(), 5U);
    EXPECT_FALSE(graph.nodes[0].has_storage);
    for (const std::size_t view : {1U, 2U}) {
        EXPECT_TRUE(graph.nodes[view].is_view);
        EXPECT_EQ(graph.nodes[view].storage, (Ref{Ref::Kind::Node, 0}));
        EXPECT_EQ(graph.nodes[view].alloc_bytes, 0U);
    }
    EXPECT_FALSE(graph.nodes[2].contiguous);
    EXPECT_TRUE(graph.nodes[3].contiguous);
}

TEST_F(GraphReaderTest, WritesIntoAStateHaveItAsStorage) {
    ggml_tensor* cache = ggml_new_tensor_2d(context_.get(), GGML_TYPE_F16, 64, 16);
    known_.add(cache, {Ref::Kind::State, 0});
    inventory_.states.emplace_back();
    inventory_.states[0].layer = 5;
    ggml_tensor* rows = ggml_new_tensor_1d(context_.get(), GGML_TYPE_I64, 1);
    ggml_set_name(rows, "rows");
    end_with(ggml_set_rows(context_.get(), cache, input("x"), rows));
    const Graph graph = read();
    ASSERT_EQ(graph.nodes.size(), 1U);
    EXPECT_FALSE(graph.nodes[0].is_view);
    EXPECT_EQ(graph.nodes[0].storage, (Ref{Ref::Kind::State, 0}));
    EXPECT_EQ(graph.nodes[0].layer, 5);
}

TEST(LayerOfNodeName, IsTheNumberAfterTheLastDash) {
    EXPECT_EQ(layer_of_node_name("ffn_out-12"), 12);
    EXPECT_EQ(layer_of_node_name("Qcur-3 (reshaped)"), 3);
    EXPECT_EQ(layer_of_node_name("Qcur-3 (view) (permuted)"), 3);
    EXPECT_EQ(layer_of_node_name("norm"), -1);
    EXPECT_EQ(layer_of_node_name("node_12"), -1);
    EXPECT_EQ(layer_of_node_name("x-"), -1);
    EXPECT_EQ(layer_of_node_name("x-1a"), -1);
    EXPECT_EQ(layer_of_node_name("x-99999999999"), -1);
    EXPECT_EQ(layer_of_node_name(""), -1);
}

TEST_F(GraphReaderTest, GivesNodesWithoutALayerThatOfWhatFollows) {
    ggml_tensor* x = ggml_silu(context_.get(), input("x"));
    x = named(ggml_sqr(context_.get(), x), "attn-4");
    x = ggml_sqrt(context_.get(), x);
    x = ggml_mul(context_.get(), x, weight("blk.7.norm", 7));
    x = ggml_sqrt(context_.get(), x);
    x = ggml_mul(context_.get(), x, weight("output_norm", -1));
    end_with(ggml_sqr(context_.get(), x));
    std::vector<int> layers;
    for (const Node& node : read().nodes) layers.push_back(node.layer);
    EXPECT_EQ(layers, (std::vector<int>{4, 4, 7, 7, -1, -1, -1}));
}

// ---- copies ----

// Lays a graph over devices and the CPU, each node on the first that supports it, and keeps the
// copies that this takes.
class Scheduled {
public:
    Scheduled(const std::vector<VirtualDevice*>& devices, ggml_cgraph* graph) {
        std::vector<ggml_backend_buffer_type_t> types;
        for (VirtualDevice* device : devices) {
            backends_.emplace_back(ggml_backend_dev_init(device->device(), nullptr));
            types.push_back(device->buffer_type());
        }
        backends_.emplace_back(ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr));
        types.push_back(ggml_backend_dev_host_buffer_type(devices[0]->device()));
        std::vector<ggml_backend_t> backends;
        for (const ggml_backend_ptr& backend : backends_) backends.push_back(backend.get());
        scheduler_.reset(ggml_backend_sched_new(
            backends.data(), types.data(), int(backends.size()), 256, false, false));
        for (int i = 0; i < graph->n_nodes; ++i) {
            ggml_tensor* node = graph->nodes[i];
            const auto place = std::find_if(backends.begin(), backends.end(), [&](auto* backend) {
                return ggml_backend_supports_op(backend, node);
            });
            ggml_backend_sched_set_tensor_backend(scheduler_.get(), node, *place);
        }
        ggml_backend_sched_split_graph(scheduler_.get(), graph);
    }

private:
    std::vector<ggml_backend_ptr> backends_;
    ggml_backend_sched_ptr scheduler_;
};

std::shared_ptr<const DevicePolicy> refusing(ggml_op op) {
    return std::make_shared<Choosy>([op](const ggml_tensor& tensor) { return tensor.op == op; });
}

// A graph whose squares are the CPU's reads the same once the scheduler has added its copies.
class Copies : public GraphReaderTest {
protected:
    Copies() { policy_ = refusing(GGML_OP_SQR); }

    ggml_tensor* silu(ggml_tensor* x, const char* name) {
        return named(ggml_silu(context_.get(), x), name);
    }

    ggml_tensor* sqr(ggml_tensor* x) { return ggml_sqr(context_.get(), x); }

    ggml_tensor* add(ggml_tensor* a, ggml_tensor* b) { return ggml_add(context_.get(), a, b); }

    void expect_same_with_copies(const std::vector<VirtualDevice*>& others = {}) {
        const Graph plain = read();
        VirtualDevice device({.policy = policy_});
        std::vector<VirtualDevice*> devices = {&device};
        devices.insert(devices.end(), others.begin(), others.end());
        const Scheduled scheduled(devices, graph_);
        EXPECT_EQ(read(), plain);
    }
};

// Two values of one name and layout, both copied to the CPU: the one is told from the other.
TEST_F(Copies, OfTheSameNameAreToldApart) {
    ggml_tensor* first = silu(input("x"), "twin-0");
    ggml_tensor* second = silu(named(sqr(first), "square-0"), "twin-0");
    ggml_tensor* again = named(sqr(second), "square-0");
    end_with(add(add(again, first), second));
    expect_same_with_copies();
    EXPECT_NE(again->src[0], second) << "the scheduler was expected to copy";
}

// The twin that is made first is read last, and more often.
TEST_F(Copies, AreToldApartByTheirNumberOfReaders) {
    ggml_tensor* first = silu(input("x"), "twin-0");
    ggml_tensor* second = silu(first, "twin-0");
    end_with(add(add(sqr(second), sqr(first)), sqr(first)));
    expect_same_with_copies();
}

// Both twins are copied to the CPU, where squares are, and to a second device for the roots.
TEST_F(Copies, ToSeveralDevicesAreToldApart) {
    policy_ = std::make_shared<Choosy>([](const ggml_tensor& tensor) {
        return tensor.op == GGML_OP_SQR || tensor.op == GGML_OP_SQRT;
    });
    VirtualDevice second_device({.name = "SECOND", .policy = refusing(GGML_OP_SQR)});
    const auto both = [&](ggml_tensor* value) {
        return ggml_mul(context_.get(), sqr(value), ggml_sqrt(context_.get(), value));
    };
    ggml_tensor* first = silu(input("x"), "twin-0");
    ggml_tensor* second = silu(first, "twin-0");
    end_with(add(both(first), both(second)));
    expect_same_with_copies({&second_device});
}

// The twin that is made last is read first, and has another shape.
TEST_F(Copies, AreToldApartByTheirShape) {
    ggml_tensor* first = silu(input("x"), "twin-0");
    ggml_tensor* second = named(ggml_sum_rows(context_.get(), first), "twin-0");
    end_with(sqr(second));
    end_with(sqr(first));
    expect_same_with_copies();
}

// A name of 63 characters loses its end in the copy's name.
TEST_F(Copies, OfLongNamesFindTheirSources) {
    const std::string longest(63, 'n');
    ggml_tensor* value = silu(input("x"), longest.c_str());
    ggml_tensor* square = sqr(value);
    end_with(ggml_sqrt(context_.get(), square));
    expect_same_with_copies();
    EXPECT_NE(square->src[0], value) << "the scheduler was expected to copy";
}

// What a split reads from elsewhere are its inputs, under the names that the model gave them.
TEST_F(Copies, BecomeInputsOfASplit) {
    VirtualDevice device({.policy = policy_});
    ggml_tensor* on_cpu = named(sqr(input("x")), "embd");
    end_with(named(add(ggml_silu(context_.get(), on_cpu), input("y")), "l_out-0"));
    const Scheduled scheduled({&device}, graph_);
    const ggml_cgraph split = ggml_graph_view(graph_, 1, graph_->n_nodes);
    const Graph graph = read_split(split, {known_, inventory_, *policy_}).graph;
    ASSERT_EQ(graph.inputs.size(), 2U);
    EXPECT_EQ(graph.inputs[0].name, "embd");
    EXPECT_EQ(graph.inputs[1].name, "y");
    EXPECT_EQ(graph.nodes.size(), 2U);
}

}  // namespace
}  // namespace pshard
