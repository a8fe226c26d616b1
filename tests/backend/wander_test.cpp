// Random plan switches, budgets and batches; ten thousand of them are in wander_slow_test.cpp.
#include <gmock/gmock.h>

#include "backend/harness/wander.h"

namespace pshard::backend_test {
namespace {

class Wander : public testing::TestWithParam<std::string> {};

TEST_P(Wander, IsAsStock) {
    PSHARD_NEEDS_PLUGIN();
    PSHARD_NEEDS_DEVICE(inner_device("simgpu"));
    for (const unsigned seed : {1U, 2U}) expect_wander_as_stock(GetParam(), seed, 20);
}

INSTANTIATE_TEST_SUITE_P(Few, Wander, testing::ValuesIn(wander_models()), [](const auto& test) {
    return test_name(test.param);
});

}  // namespace
}  // namespace pshard::backend_test
