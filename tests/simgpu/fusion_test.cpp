// What kernels for several nodes do to each other's memory, where the addresses are chosen here.
#include "simgpu/fusion.h"

#include <ggml-impl.h>

#include "simgpu/sim_device.h"
#include "support/testing.h"

namespace pshard::simgpu {
namespace {

constexpr std::int64_t kWidth = 64;

class FusionTest : public testing::Test {
protected:
    ggml_context* context() { return device.context(); }

    // A tensor without an op, as a copy from another device is.
    ggml_tensor* copied(const char* name, std::int64_t n_columns = 1) {
        return device.placed(ggml_new_tensor_2d(context(), GGML_TYPE_F32, kWidth, n_columns), name);
    }

    ggml_tensor* weight(const char* name) {
        return device.placed(ggml_new_tensor_2d(context(), GGML_TYPE_F32, kWidth, kWidth), name);
    }

    static ggml_tensor* named(ggml_tensor* tensor, const char* name) {
        return ggml_set_name(tensor, name);
    }

    ggml_tensor* computed(const char* name) {
        return named(ggml_sqr(context(), copied("square root")), name);
    }

    // `x` times two weights, and a gate.
    ggml_tensor* gated(ggml_tensor* x) {
        ggml_tensor* gate = named(ggml_mul_mat(context(), weight("w_gate"), x), "gate");
        ggml_tensor* up = named(ggml_mul_mat(context(), weight("w_up"), x), "up");
        return named(ggml_swiglu_split(context(), gate, up), "act");
    }

    static void put_over(ggml_tensor* tensor, const ggml_tensor* other, std::size_t shift = 0) {
        tensor->buffer = other->buffer;
        tensor->data = static_cast<std::byte*>(other->data) + shift;
    }

    // The faults of the runs that begin at the node.
    static std::vector<Fault> faults_at(const ggml_cgraph* graph, const char* name) {
        for (int i = 0; i < graph->n_nodes; ++i) {
            if (std::string(graph->nodes[i]->name) == name) return faults_of_fusion(graph, i);
        }
        ADD_FAILURE() << "no node " << name;
        return {};
    }

    SimDevice device;
};

TEST_F(FusionTest, LetsAResultLieOnAnInputElementOnElement) {
    ggml_tensor* x = computed("x");
    ggml_tensor* act = named(ggml_silu(context(), x), "silu");
    ggml_tensor* result = named(ggml_mul(context(), act, copied("other")), "product");
    const ggml_cgraph* graph = device.graph(result);
    EXPECT_THAT(faults_at(graph, "silu"), IsEmpty());
    put_over(result, x);
    EXPECT_THAT(faults_at(graph, "silu"), IsEmpty());
    put_over(result, x, 32);
    ASSERT_THAT(faults_at(graph, "silu"), SizeIs(1));
    EXPECT_THAT(faults_at(graph, "silu")[0].text(),
                HasSubstr("SILU silu, fused up to MUL product, writes over what the same kernel "
                          "reads: 'x'"));
}

TEST_F(FusionTest, LetsNoResultLieOnAVectorThatAWholeMatrixReads) {
    ggml_tensor* x = computed("x");
    ggml_tensor* product = named(ggml_mul_mat(context(), weight("w"), x), "product");
    ggml_tensor* result = ggml_add(context(), product, copied("bias"));
    const ggml_cgraph* graph = device.graph(result);
    EXPECT_THAT(faults_at(graph, "product"), IsEmpty());
    put_over(result, x);
    EXPECT_THAT(faults_at(graph, "product"), SizeIs(1));
}

TEST_F(FusionTest, LeavesToTheBackendWhatItLooksAt) {
    ggml_tensor* x = computed("x");
    ggml_tensor* act = gated(x);
    const ggml_cgraph* graph = device.graph(act);
    put_over(act, x);
    EXPECT_THAT(faults_at(graph, "gate"), IsEmpty());
}

TEST_F(FusionTest, FindsWhatTheBackendLooksOver) {
    ggml_tensor* x = copied("x");
    ggml_tensor* act = gated(x);
    const ggml_cgraph* graph = device.graph(act);
    EXPECT_THAT(faults_at(graph, "gate"), IsEmpty());
    put_over(act, x);
    EXPECT_THAT(faults_at(graph, "gate"), SizeIs(2));  // the gate's x and that of up
}

TEST_F(FusionTest, LooksAtNoRunThatIsReadInBetween) {
    ggml_tensor* x = copied("x");
    ggml_tensor* act = gated(x);
    ggml_cgraph* graph = device.graph(ggml_add(context(), act, act->src[0]));
    put_over(act, x);
    EXPECT_THAT(faults_at(graph, "gate"), IsEmpty());
}

TEST_F(FusionTest, LooksAtNoMoreColumnsThanAreFused) {
    ggml_tensor* x = copied("x", 9);
    ggml_tensor* act = gated(x);
    const ggml_cgraph* graph = device.graph(act);
    put_over(act, x);
    EXPECT_THAT(faults_at(graph, "gate"), IsEmpty());
}

// Router as llama.cpp builds it: softmax, the best of it, their weights.
TEST_F(FusionTest, FindsChosenExpertsOverTheirLogits) {
    ggml_tensor* logits = copied("logits", 2);
    ggml_tensor* odds = named(ggml_soft_max(context(), logits), "odds");
    ggml_tensor* as_rows = ggml_reshape_3d(context(), odds, 1, kWidth, 2);
    ggml_tensor* chosen = ggml_argsort_top_k(context(), odds, 4);
    ggml_cgraph* graph = ggml_new_graph_custom(context(), 16, false);
    ggml_build_forward_expand(graph, as_rows);
    ggml_build_forward_expand(graph, ggml_get_rows(context(), as_rows, chosen));
    for (int i = 0; i < graph->n_nodes; ++i) {
        ggml_tensor* node = graph->nodes[i];
        if (node->view_src == nullptr) device.placed(node, node->name);
    }
    ASSERT_EQ(chosen->op, GGML_OP_VIEW);
    put_over(chosen, chosen->view_src);
    for (ggml_tensor* view : {as_rows}) put_over(view, odds);
    EXPECT_THAT(faults_at(graph, "odds"), IsEmpty());
    put_over(chosen, logits);
    EXPECT_THAT(faults_at(graph, "odds"), SizeIs(1));
}

TEST_F(FusionTest, IsLookedAtWhenAGraphIsIssued) {
    ggml_tensor* x = device.filled("x", kWidth, 1);
    ggml_tensor* other = device.filled("other", kWidth, 1);
    ggml_tensor* act = ggml_silu(context(), x);
    ggml_tensor* result = ggml_mul(context(), act, other);
    ggml_cgraph* graph = device.graph(result);
    const BackendHandle queue = device.queue();
    ggml_backend_graph_compute(queue.get(), graph);
    EXPECT_EQ(device.faults(), 0u);
    // The node before is through when it is computed alone: only as one kernel it is a fault.
    ggml_tensor* large = device.filled("large", 2 * kWidth, 1);
    put_over(x, large);
    put_over(result, large, 32);
    ggml_backend_graph_compute(queue.get(), graph);
    EXPECT_EQ(device.faults(), 1u);
}

}  // namespace
}  // namespace pshard::simgpu
