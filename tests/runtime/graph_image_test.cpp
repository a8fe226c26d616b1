// By what a graph is known that llama.cpp builds anew.
#include "runtime/graph_image.h"

#include <ggml-impl.h>

#include "support/testing.h"

namespace pshard {
namespace {

// A graph that is built in the same memory each time, as llama.cpp's are.
class GraphImages : public testing::Test {
protected:
    struct Choices {
        std::int64_t columns = 4;
        float factor = 2;
        bool reads_twice = false;
        void* data = nullptr;
    };

    // scaled = x * factor, sum = scaled + y
    const ggml_cgraph& built(const Choices& choices) {
        context_.reset(ggml_init({memory_.size(), memory_.data(), true}));
        ggml_tensor* x = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, choices.columns);
        ggml_tensor* y = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, choices.columns);
        y->data = choices.data;
        ggml_tensor* scaled = ggml_scale(context_.get(), x, choices.factor);
        ggml_tensor* sum = ggml_add(context_.get(), scaled, y);
        ggml_tensor* again = ggml_add(context_.get(), sum, scaled);
        ggml_cgraph* graph = ggml_new_graph_custom(context_.get(), 16, false);
        ggml_build_forward_expand(graph, choices.reads_twice ? again : sum);
        graph_ = *graph;
        graph_.n_nodes = 2;  // a part of it: the rest is another device's
        return graph_;
    }

private:
    struct Free {
        void operator()(ggml_context* context) const { ggml_free(context); }
    };

    std::vector<std::byte> memory_ = std::vector<std::byte>(1 << 16);
    std::unique_ptr<ggml_context, Free> context_;
    ggml_cgraph graph_{};
};

TEST_F(GraphImages, ShowTheGraphThatIsBuiltAgain) {
    const GraphImage image(built({}));
    EXPECT_TRUE(image.shows(built({})));
}

TEST_F(GraphImages, OfNothingShowNothing) { EXPECT_FALSE(GraphImage().shows(built({}))); }

TEST_F(GraphImages, ShowNoGraphThatComputesOtherwise) {
    const GraphImage image(built({}));
    EXPECT_FALSE(image.shows(built({.columns = 8})));
    EXPECT_FALSE(image.shows(built({.factor = 3})));
}

TEST_F(GraphImages, ShowNoGraphWhoseInputLiesElsewhere) {
    const GraphImage image(built({}));
    int value = 0;
    EXPECT_FALSE(image.shows(built({.data = &value})));
}

// The part is the same, but the rest of the graph reads a value of it.
TEST_F(GraphImages, ShowNoGraphThatIsReadMoreOften) {
    const GraphImage image(built({}));
    EXPECT_FALSE(image.shows(built({.reads_twice = true})));
}

}  // namespace
}  // namespace pshard
