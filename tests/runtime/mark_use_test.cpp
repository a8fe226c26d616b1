// Which marks of a schedule nobody waits for.
#include "runtime/program.h"
#include "support/testing.h"

namespace pshard {
namespace {

constexpr ScheduleLane kGpu = ScheduleLane::Gpu;
constexpr ScheduleLane kCpu = ScheduleLane::Cpu;
constexpr ScheduleLane kUpload = ScheduleLane::Upload;

Bring value(bool to_device) {
    Bring bring;
    bring.to_device = to_device;
    return bring;
}

StageWork stage(Device device, std::vector<Bring> brings) {
    StageWork work;
    work.device = device;
    work.brings = std::move(brings);
    return work;
}

// A layer: attention on the GPU, experts on the CPU; and the next one's attention.
const std::vector<Step> kMixed = {
    {kGpu, Compute{0}}, {kCpu, Wait{0}}, {kCpu, Compute{1}}, {kGpu, Wait{2}}, {kGpu, Compute{2}}};

std::vector<StageWork> mixed(bool fetches) {
    std::vector<StageWork> stages;
    stages.push_back(stage(Device::Gpu, {value(true)}));
    stages.push_back(stage(Device::Cpu, {}));
    if (fetches) stages.back().brings = {value(false), value(false)};
    stages.push_back(stage(Device::Gpu, {value(true)}));
    return stages;
}

TEST(MarkUse, IsNoneWhereTheCpuFetchesBehindTheStage) {
    const std::vector<MarkUse> uses = mark_use({kMixed}, mixed(true));
    EXPECT_FALSE(uses[0].awaited);
    EXPECT_TRUE(uses[1].covered);
    EXPECT_FALSE(uses[0].brought);
    EXPECT_TRUE(uses[4].brought);  // the next pass may begin with a stage that fetches nothing
}

TEST(MarkUse, IsOfAStageThatTheCpuFetchesNothingOf) {
    const std::vector<MarkUse> uses = mark_use({kMixed}, mixed(false));
    EXPECT_TRUE(uses[0].awaited);
    EXPECT_FALSE(uses[1].covered);
    EXPECT_TRUE(uses[0].brought);
}

TEST(MarkUse, IsOfAStageThatAnUploadWaitsFor) {
    std::vector<Step> steps = kMixed;
    steps.push_back({kUpload, Wait{0}});
    EXPECT_TRUE(mark_use({steps}, mixed(true))[0].awaited);
}

// The pass before may have had other steps: its end is waited for.
TEST(MarkUse, LeavesNoWaitForThePassBeforeOut) {
    std::vector<Step> steps = kMixed;
    steps[1].what = Wait{4, true};
    const std::vector<MarkUse> uses = mark_use({steps}, mixed(true));
    EXPECT_FALSE(uses[1].covered);
    EXPECT_TRUE(uses[4].awaited);
}

}  // namespace
}  // namespace pshard
