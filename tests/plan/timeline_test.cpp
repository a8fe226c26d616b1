#include "plan/timeline.h"

#include <gmock/gmock.h>

namespace pshard {
namespace {

using ::testing::HasSubstr;

//   upload   ====
//   GPU          ####
//   download         --
Schedule three_lanes() {
    return {{{ScheduleLane::Upload, Load{0}},
             {ScheduleLane::Gpu, Wait{0, false}},
             {ScheduleLane::Gpu, Compute{0}},
             {ScheduleLane::Download, Wait{2, false}},
             {ScheduleLane::Download, Store{0}}}};
}

TEST(Timeline, SumsWhatALaneWorked) {
    const Timeline timeline{{{0, 0, 4}, {2, 4, 8}, {4, 8, 10}}, 10};
    EXPECT_EQ(busy_seconds(timeline, three_lanes(), ScheduleLane::Upload), 4.0);
    EXPECT_EQ(busy_seconds(timeline, three_lanes(), ScheduleLane::Gpu), 4.0);
    EXPECT_EQ(busy_seconds(timeline, three_lanes(), ScheduleLane::Download), 2.0);
    EXPECT_EQ(busy_seconds(timeline, three_lanes(), ScheduleLane::Cpu), 0.0);
}

TEST(Timeline, NamesLanes) {
    EXPECT_EQ(lane_name(ScheduleLane::Gpu), "GPU");
    EXPECT_EQ(lane_name(ScheduleLane::Upload), "upload");
    EXPECT_EQ(lane_name(ScheduleLane::Download), "download");
    EXPECT_EQ(lane_name(ScheduleLane::Cpu), "CPU");
}

TEST(Timeline, DrawsLanesOverTime) {
    const Timeline timeline{{{0, 0, 4}, {2, 4, 8}, {4, 8, 10}}, 10};
    const std::string drawn = draw(timeline, three_lanes(), 10);
    EXPECT_THAT(drawn, HasSubstr("====      "));
    EXPECT_THAT(drawn, HasSubstr("    ####  "));
    EXPECT_THAT(drawn, HasSubstr("        --"));
    EXPECT_THAT(draw(timeline, three_lanes(), 20), HasSubstr("        ########    "));
}

TEST(Timeline, DrawsNothingOfAnEmptyOne) {
    EXPECT_EQ(draw({}, {}, 10).find_first_of("#="), std::string::npos);
}

}  // namespace
}  // namespace pshard
