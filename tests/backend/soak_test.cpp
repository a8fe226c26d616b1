// A few rounds of a soak; soak_slow_test.cpp has minutes of them.
#include "backend/harness/soak_expect.h"

namespace pshard::backend_test {
namespace {

TEST_F(Soaked, ServerSaysTheSameAndDoesNotGrow) {
    expect_flat("layers-1", [](int n_rounds) { return n_rounds < 4; });
}

}  // namespace
}  // namespace pshard::backend_test
