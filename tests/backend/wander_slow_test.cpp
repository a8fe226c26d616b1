// 10,080 random plan switches: 6 architectures, 8 budgets each.
#include <gmock/gmock.h>

#include "backend/harness/wander.h"

namespace pshard::backend_test {
namespace {

class Wander : public testing::TestWithParam<std::string> {};

TEST_P(Wander, IsAsStock) {
    PSHARD_NEEDS_PLUGIN();
    PSHARD_NEEDS_DEVICE(inner_device("simgpu"));
    for (unsigned seed = 11; seed <= 18; ++seed) expect_wander_as_stock(GetParam(), seed, 210);
}

INSTANTIATE_TEST_SUITE_P(All, Wander, testing::ValuesIn(wander_models()), [](const auto& test) {
    return test_name(test.param);
});

}  // namespace
}  // namespace pshard::backend_test
