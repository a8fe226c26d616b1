// The runtime's executor on a simulated GPU of this process: who waits for whom, and its threads.
#include "runtime/executor.h"
#include "simgpu/kernels.h"
#include "simgpu/sim_device.h"
#include "support/testing.h"

namespace pshard::simgpu {
namespace {

constexpr std::int64_t kN = 1024;
constexpr std::size_t kBytes = kN * sizeof(float);

// Nothing is locked: all copies go by way of the staging buffers.
std::unique_ptr<Executor> executor_on(SimDevice& device, bool timed) {
    static const PageLocks locks(cpu_device(), 0);
    Result<std::unique_ptr<Executor>> executor =
        Executor::open({&device.gpu.device, cpu_device(), locks}, {}, timed);
    EXPECT_TRUE(executor.ok());
    return std::move(executor).value();
}

// A stage of the GPU that makes `result`.
StageWork stage_of(SimDevice& device, ggml_tensor* result) {
    StageWork work;
    work.nodes = {result};
    work.graph = *device.graph(result);
    return work;
}

SlotPiece piece_of(std::vector<float>& host) {
    return {0, Bytes(host.size() * sizeof(float)), reinterpret_cast<std::byte*>(host.data())};
}

GroupWork loading(ggml_tensor* slot, std::vector<float>& host) {
    GroupWork work;
    work.slot = slot;
    work.loads = {piece_of(host)};
    return work;
}

// Numbers that are streamed through two slots, and 1 is added to each.
//
//   Upload    [Load 0 -> A][Load 1 -> B]          [Load 2 -> A]...
//   Gpu                    [A += 1     ][B += 1]               [A += 1]
//   Download                            [Store 0][Store 1]             ...
class Counters {
public:
    Counters(SimDevice& device, int n) : hosts_(std::size_t(n)) {
        ggml_tensor* one = device.filled("one", kN, 1);
        ggml_tensor* slots[] = {device.tensor("A", kN), device.tensor("B", kN)};
        for (int g = 0; g < n; ++g) {
            ggml_tensor* slot = slots[g % 2];
            add(g, slot, stage_of(device, ggml_add_inplace(device.context(), slot, one)));
        }
        Result<Schedule> schedule = make_schedule(program.cut);
        EXPECT_TRUE(schedule.ok());
        program.schedule = std::move(schedule).value();
    }

    [[nodiscard]] std::vector<float> values() const {
        std::vector<float> all;
        for (const std::vector<float>& host : hosts_) {
            EXPECT_THAT(host, Each(host[0]));
            all.push_back(host[0]);
        }
        return all;
    }

    Program program;

private:
    void add(int g, ggml_tensor* slot, StageWork stage) {
        std::vector<float>& host = hosts_[std::size_t(g)];
        host.assign(kN, float(g));
        program.cut.stages.push_back({Device::Gpu, g, g + 1, g, 0});
        const Slot turn = g % 2 == 0 ? Slot::A : Slot::B;
        program.cut.groups.push_back({g, turn, {}, {g}, g, g, false});
        program.stages.push_back(std::move(stage));
        GroupWork group = loading(slot, host);
        group.stores = {{piece_of(host), {nullptr, 0, kBytes, 0, 0}}};
        program.groups.push_back(std::move(group));
    }

    std::vector<std::vector<float>> hosts_;
};

class Executors : public testing::TestWithParam<bool> {};

TEST_P(Executors, StreamStatesToAndFro) {
    SimDevice device;
    Counters counters(device, 5);
    const std::unique_ptr<Executor> executor = executor_on(device, GetParam());
    for (int pass = 0; pass < 40; ++pass) {
        ASSERT_EQ(executor->run(counters.program, pass > 0), GGML_STATUS_SUCCESS);
        if (pass % 3 == 0) executor->finish();
        if (pass % 7 == 0) executor->synchronize();
        EXPECT_EQ(executor->measured().has_value(), GetParam());
    }
    executor->synchronize();
    EXPECT_THAT(counters.values(), ElementsAre(40, 41, 42, 43, 44));
    EXPECT_EQ(device.faults(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Executor, Executors, testing::Bool(), [](const auto& test) {
    return test.param ? "Timed" : "Plain";
});

void run_passes(Executor& executor, Program& program, int n) {
    for (int pass = 0; pass < n; ++pass) {
        ASSERT_EQ(executor.run(program, pass > 0), GGML_STATUS_SUCCESS);
    }
}

// A pass issues 5 Loads, 5 Stores and 5 stages, and the uploads are waited for every 64th.
TEST_P(Executors, LetTheDeviceTakeBackWhatItKeeps) {
    SimDevice device;
    Counters counters(device, 5);
    const std::unique_ptr<Executor> executor = executor_on(device, GetParam());
    for (int pass = 0; pass < 300; ++pass) {
        ASSERT_EQ(executor->run(counters.program, pass > 0), GGML_STATUS_SUCCESS);
        executor->finish();
    }
    EXPECT_EQ(device.gpu.most_records, 1);
    EXPECT_LT(device.gpu.most_commands, 66 * 5 * 4);
    EXPECT_EQ(device.faults(), 0u);
}

// Three of five stages, with their stores.
TEST_P(Executors, GoOnBehindAPassThatWasStopped) {
    SimDevice device;
    Counters counters(device, 5);
    const std::unique_ptr<Executor> executor = executor_on(device, GetParam());
    run_passes(*executor, counters.program, 2);
    int n_asked = 0;
    executor->ask_before_stages([&n_asked] { return ++n_asked == 4; });
    EXPECT_EQ(executor->run(counters.program, true), GGML_STATUS_ABORTED);
    executor->synchronize();
    executor->ask_before_stages({});
    const std::vector<float> stopped = counters.values();
    EXPECT_THAT(stopped, ElementsAre(3, 4, 5, 5, 6));
    run_passes(*executor, counters.program, 3);
    executor->synchronize();
    EXPECT_THAT(counters.values(), ElementsAre(6, 7, 8, 8, 9));
    EXPECT_EQ(device.faults(), 0u);
}

// What was uploaded ahead for one like the last pass is of no use to this one, and its marks must
// not be taken for this one's: B's upload waits for B's stage.
//
//   Upload    [A's Load, ahead: 50 ms               ][B's Load]
//   Gpu       [A's stage][B's stage 0]                          [B's stage 1]
TEST(Executor, UploadsAheadOfAnotherProgramHoldNobodyOfThisOne) {
    Settings settings = counting();
    settings.h2d_gbps = 0.05;
    constexpr ScheduleLane Gpu = ScheduleLane::Gpu;
    constexpr ScheduleLane Upload = ScheduleLane::Upload;
    SimDevice device(settings);
    std::vector<float> large(256 * kN, 1);
    std::vector<float> small(kN, 2);
    ggml_tensor* a = device.tensor("a", 256 * kN);
    ggml_tensor* b = device.filled("b", kN, 1);
    Program first;
    first.schedule.steps = {
        {Upload, Wait{3, true}}, {Upload, Load{0}}, {Gpu, Wait{1}}, {Gpu, Compute{0}}};
    first.stages.push_back(stage_of(device, ggml_sqr(device.context(), a)));
    first.groups.push_back(loading(a, large));
    Program second;
    second.schedule.steps = {{Gpu, Wait{5, true}},
                             {Gpu, Compute{0}},
                             {Upload, Wait{1}},
                             {Upload, Load{0}},
                             {Gpu, Wait{3}},
                             {Gpu, Compute{1}}};
    ggml_tensor* result = ggml_sqr(device.context(), b);
    second.stages.push_back(stage_of(device, ggml_sqr(device.context(), b)));
    second.stages.push_back(stage_of(device, result));
    second.groups.push_back(loading(b, small));
    const std::unique_ptr<Executor> executor = executor_on(device, false);
    ASSERT_EQ(executor->run(first, false), GGML_STATUS_SUCCESS);
    ASSERT_EQ(executor->run(second, false), GGML_STATUS_SUCCESS);
    executor->synchronize();
    EXPECT_EQ(device.first(result), 4);
    EXPECT_EQ(device.faults(), 0u);
}

// A pass that follows no like one waits for all that was issued before it: B's upload for what A
// brings home.
//
//   Gpu         [A's stage]                                       [B's stage]
//   Download               [A's Store: 50 ms      ]
//   Upload                                         [B's Load]
TEST(Executor, WaitsForAPassThatIsNotAlike) {
    Settings settings = counting();
    settings.d2h_gbps = 2e-8 * double(kBytes);
    SimDevice device(settings);
    std::vector<float> host(kN, 0);
    ggml_tensor* squares = ggml_sqr(device.context(), device.filled("a", kN, 3));
    Program first;
    first.schedule.steps = {{ScheduleLane::Gpu, Compute{0}},
                            {ScheduleLane::Download, Wait{0}},
                            {ScheduleLane::Download, Store{0}}};
    first.stages.push_back(stage_of(device, squares));
    first.groups.emplace_back();
    first.groups.back().slot = squares;
    first.groups.back().stores = {{piece_of(host), {nullptr, 0, kBytes, 0, 0}}};
    ggml_tensor* b = device.tensor("b", kN);
    ggml_tensor* result = ggml_sqr(device.context(), b);
    Program second;
    second.schedule.steps = {{ScheduleLane::Upload, Wait{3, true}},
                             {ScheduleLane::Upload, Load{0}},
                             {ScheduleLane::Gpu, Wait{1}},
                             {ScheduleLane::Gpu, Compute{0}}};
    second.stages.push_back(stage_of(device, result));
    second.groups.push_back(loading(b, host));
    const std::unique_ptr<Executor> executor = executor_on(device, false);
    ASSERT_EQ(executor->run(first, false), GGML_STATUS_SUCCESS);
    ASSERT_EQ(executor->run(second, false), GGML_STATUS_SUCCESS);
    executor->synchronize();
    EXPECT_EQ(device.first(result), 81);
    EXPECT_EQ(device.faults(), 0u);
}

}  // namespace
}  // namespace pshard::simgpu
