// 10,080 random plan switches: 6 architectures, 8 budgets each.
#include <gmock/gmock.h>

#include "backend/harness/wander.h"

namespace pshard::backend_test {
namespace {

TEST_P(Wander, IsAsStock) { expect_as_stock({11, 12, 13, 14, 15, 16, 17, 18}, 210); }

INSTANTIATE_TEST_SUITE_P(All, Wander, testing::ValuesIn(wander_models()), wander_name);

}  // namespace
}  // namespace pshard::backend_test
