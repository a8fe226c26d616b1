// A soak of five minutes, which scripts/check-all runs.
#include <chrono>

#include "backend/harness/soak_expect.h"

namespace pshard::backend_test {
namespace {

class MinutesOf : public Soaked, public testing::WithParamInterface<std::string> {};

TEST_P(MinutesOf, SaysTheSameAndDoesNotGrow) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(150);
    expect_flat(GetParam(), [&](int) { return std::chrono::steady_clock::now() < end; });
}

INSTANTIATE_TEST_SUITE_P(Soak, MinutesOf, Values("layers-1", "rotate"), test::NamedByParameter());

}  // namespace
}  // namespace pshard::backend_test
