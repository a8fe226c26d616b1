#include "probe/profile_ops.h"

#include <gmock/gmock.h>

namespace pshard {
namespace {

TEST(BusyNote, IsOfMoreThanAHalf) {
    std::vector<OpRow> rows(4);
    rows[0].noisy_percent = 20;
    rows[1].noisy_percent = 20;
    EXPECT_EQ(busy_note(rows), "");
    rows[2].noisy_percent = 20;
    EXPECT_THAT(busy_note(rows), testing::StartsWith("3 of 4 ops"));
    EXPECT_EQ(busy_note({}), "");
}

}  // namespace
}  // namespace pshard
