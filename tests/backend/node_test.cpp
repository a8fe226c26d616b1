// PSHARD0 in the llama.cpp that npm carries prebuilt: a host loaded for node alone, whose libraries
// have other names than ours.
#include <gmock/gmock.h>

#include "backend/harness/expect.h"
#include "build_paths.h"

namespace pshard::backend_test {
namespace {

using testing::HasSubstr;

#define PSHARD_NEEDS_NODE_HOST()                                                          \
    do {                                                                                  \
        PSHARD_NEEDS_PLUGIN();                                                            \
        PSHARD_NO_SANITIZER();                                                            \
        if (std::string(PSHARD_NODE_HOST).empty())                                        \
            GTEST_SKIP() << "needs node-llama-cpp: node is not installed, or no network " \
                            "when this build was configured";                             \
    } while (false)

ChildResult node(const Environment& environment, const std::string& gpu_layers) {
    Grid grid(inner_device("cpu"));
    ChildProgram program;
    program.command = {PSHARD_NODE,
                       PSHARD_NODE_SCRIPT,
                       PSHARD_NODE_HOST,
                       grid.model_file(model_row("llama-Q8_0")),
                       gpu_layers};
    program.environment = environment;
    return run(program);
}

class NodeHost : public testing::TestWithParam<std::string> {};

TEST_P(NodeHost, AnswersAsWithoutPshard) {
    PSHARD_NEEDS_NODE_HOST();
    const ChildResult stock = node({}, "0");
    const ChildResult ours =
        node(pshard_environment(inner_device("cpu"), plan_row(GetParam())), "99");
    ASSERT_TRUE(stock.ok()) << stock.text();
    ASSERT_TRUE(ours.ok()) << ours.text();
    EXPECT_GT(stock.out.size(), 50) << stock.out;
    EXPECT_EQ(ours.out, stock.out) << ours.err;
    EXPECT_THAT(ours.err, HasSubstr("PSHARD0 computes on CPU"));
    if (GetParam() == "rotate") return;  // does not tell its plans
    EXPECT_THAT(ours.err, HasSubstr("pshard: plan up to 64 tokens"));
}

INSTANTIATE_TEST_SUITE_P(Backend,
                         NodeHost,
                         testing::Values("resident", "stream-all", "rotate"),
                         [](const auto& test) { return test_name(test.param); });

// The same run, if it streams, needs its uploads.
TEST(NodeHostControl, WithoutUploadsAnswersDiffer) {
    PSHARD_NEEDS_NODE_HOST();
    PlanRow plan = plan_row("stream-all");
    plan.environment["PSHARD_CHAOS"] = "no-upload";
    const ChildResult ours = node(pshard_environment(inner_device("cpu"), plan), "99");
    EXPECT_NE(ours.out, node({}, "0").out);
}

}  // namespace
}  // namespace pshard::backend_test
