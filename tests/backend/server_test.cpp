// llama-server answers through PSHARD0 as it answers without.
#include "backend/harness/server.h"
#include "backend/harness/expect.h"
#include "backend/harness/programs.h"
#include "backend/harness/projector.h"
#include "support/testing.h"

namespace pshard::backend_test {
namespace {

struct Setting {
    std::string name;
    Talker talk;
    std::string model = "llama-Q8_0";
    std::string draft_model{};  // a row of the grid, too: both lie on the device
    std::vector<std::string> flags{};
    bool sees = false;  // with a vision projector

    friend void PrintTo(const Setting& value, std::ostream* out) { *out << value.name; }
};

ChildProgram server_of(const Setting& setting,
                       const InnerDevice& device,
                       const std::string& device_name) {
    Grid grid(device);
    ChildProgram program =
        llama_program("llama-server", grid.model_file(model_row(setting.model)), device_name);
    program.with({"-c", "2048", "-np", "4", "-b", "128", "-ub", "32"}).with(setting.flags);
    if (!setting.draft_model.empty()) {
        program.with({"-md", grid.model_file(model_row(setting.draft_model)), "-devd", device_name})
            .with({"--spec-type", "draft-simple", "--spec-draft-n-max", "4"});
    }
    return program;
}

ChildProgram stock_server(const Setting& setting, const InnerDevice& device) {
    ChildProgram program = server_of(setting, device, device.stock_name);
    program.environment.insert(device.stock.begin(), device.stock.end());
    return program;
}

ChildProgram pshard_server(const Setting& setting, const InnerDevice& device, const PlanRow& plan) {
    ChildProgram program = server_of(setting, device, "PSHARD0");
    const Environment environment = pshard_environment(device, plan);
    program.environment.insert(environment.begin(), environment.end());
    return program;
}

Told told(const Setting& setting, ChildProgram program) {
    const test::TempFolder folder;
    if (setting.sees) {
        const std::string projector = folder.file("mmproj.gguf");
        write_random_projector(projector, model_row(setting.model).arch);
        program.with({"--mmproj", projector});
    }
    return told_by(std::move(program), setting.talk);
}

class Servers : public testing::TestWithParam<std::tuple<Setting, std::string, std::string>> {};

TEST_P(Servers, AnswerAsStock) {
    PSHARD_NEEDS_PLUGIN();
    const auto& [setting, device_name, plan_name] = GetParam();
    const InnerDevice device = inner_device(device_name);
    PSHARD_NEEDS_DEVICE(device);
    const Talk stock = told(setting, stock_server(setting, device)).talk;
    const Talk ours = told(setting, pshard_server(setting, device, plan_row(plan_name))).talk;
    EXPECT_GE(stock.size(), 4);
    EXPECT_EQ(ours, stock);
}

std::vector<Setting> settings() {
    return {{"Slots", talk},
            {"SlotsUnified", talk, "llama-Q8_0", "", {"-kvu"}},
            {"Crowd", crowded_talk},
            {"Endless", endless_talk, "llama-Q8_0", "", {"--context-shift"}},
            {"RecurrentSlots", talk, "qwen3next-Q8_0"},
            {"Drafted", drafted_talk, "llama-Q8_0", "llama-F16"},
            {"DraftedCrowd", crowded_talk, "llama-Q8_0", "llama-F16"},
            {"Seeing", seeing_talk, "gemma3-Q8_0", "", {}, true},
            {"SeeingOnTheCpu", seeing_talk, "gemma3-Q8_0", "", {"--no-mmproj-offload"}, true}};
}

INSTANTIATE_TEST_SUITE_P(Backend,
                         Servers,
                         Combine(ValuesIn(settings()),
                                 Values("cpu", "simgpu"),
                                 Values("resident", "stream-all", "rotate")),
                         test::NamedByParameter());

// llama-server frees its model and context when it is idle, and loads both anew when it is asked.
using SleepingServer = OnSimgpu;

TEST_F(SleepingServer, AnswersAsStockWhenItWakes) {
    const Setting setting{"Slots", broken_talk, "llama-Q8_0", "", {"--sleep-idle-seconds", "1"}};
    Server server(pshard_server(setting, device, plan_row("layers-1")));
    ASSERT_TRUE(server.wait_until_ready().ok());
    const Talk ours = test::value_of(setting.talk(server));
    EXPECT_EQ(ours, told(setting, stock_server(setting, device)).talk);
    EXPECT_THAT(server.stop().err, HasSubstr("exiting sleeping state"));
}

// The tests above mean nothing if a server's plan does not stream.
TEST(ServersControl, WithoutUploadsAnswersDiffer) {
    PSHARD_NEEDS_PLUGIN();
    const InnerDevice device = inner_device("cpu");
    const Setting setting{"Slots", talk};
    PlanRow plan = plan_row("stream-all");
    plan.environment["PSHARD_CHAOS"] = "no-upload";
    EXPECT_NE(told(setting, pshard_server(setting, device, plan)).talk,
              told(setting, stock_server(setting, device)).talk);
}

// A draft of the same model in another type is believed often: both ways of a draft are taken.
TEST(ServersControl, DraftsAreAcceptedAndRefused) {
    const Setting setting{"Drafted", drafted_talk, "llama-Q8_0", "llama-F16"};
    const Talk stock = told(setting, stock_server(setting, inner_device("cpu"))).talk;
    ASSERT_FALSE(stock.empty());
    EXPECT_THAT(stock, Each(Not(HasSubstr(" 0 of "))));
    EXPECT_THAT(stock, Contains(ContainsRegex(", ([0-9]+) of ([0-9]+) drafted")));
}

// A server says two things of two pictures, and has its projector where the flags say.
TEST(ServersControl, PicturesAreSeenOnPshard) {
    PSHARD_NEEDS_PLUGIN();
    const InnerDevice device = inner_device("cpu");
    const std::string plan_of_projector = "pshard: plan up to 64 tokens";  // patches
    for (const bool offload : {true, false}) {
        const char* flag = offload ? "--mmproj-offload" : "--no-mmproj-offload";
        const Setting setting{"Seeing", seeing_talk, "gemma3-Q8_0", "", {flag}, true};
        const auto [talk, log] =
            told(setting, pshard_server(setting, device, plan_row("stream-all")));
        ASSERT_GE(talk.size(), 2);
        EXPECT_NE(talk[0], talk[1]);
        EXPECT_EQ(log.find(plan_of_projector) != std::string::npos, offload) << log;
    }
}

}  // namespace
}  // namespace pshard::backend_test
