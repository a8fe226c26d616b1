// The harness in GoogleTest's words.
#pragma once

#include <cctype>

#include "backend/harness/grid.h"
#include "backend/harness/programs.h"
#include "backend/harness/server.h"
#include "support/sanitizer.h"
#include "support/testing.h"

namespace pshard::backend_test {

using test::test_name;

// A test over one device, skipped where the device or the plugin is missing.
class OnDevice : public testing::Test {
protected:
    explicit OnDevice(const std::string& name) : device(inner_device(name)) {}

    void SetUp() override {
        PSHARD_NEEDS_PLUGIN();
        PSHARD_NEEDS_DEVICE(device);
    }

    InnerDevice device;
    Grid grid{device};
};

class OnSimgpu : public OnDevice {
protected:
    OnSimgpu() : OnDevice("simgpu") {}
};

// Runs one cell; scripts/check-all makes its table of the line that this prints.
inline void expect_as_stock(Grid& grid,
                            const InnerDevice& device,
                            const ModelRow& model,
                            const ScenarioRow& scenario,
                            const PlanRow& plan) {
    const CellResult cell = grid.run(model, scenario, plan);
    fmt::print("[cell] {} {} {} {} {} {:.2f}\n",
               device.name,
               plan.name,
               model.name(),
               scenario.name,
               outcome_name(cell.outcome),
               cell.seconds);
    std::fflush(stdout);  // runs take hours
    EXPECT_TRUE(cell.good) << model.name() << ", " << scenario.name << ", " << plan.name << " on "
                           << device.name << ": " << outcome_name(cell.outcome) << "\n"
                           << cell.text;
}

// The same for a program of llama.cpp.
inline void expect_suite_passes(const Suite& suite,
                                const InnerDevice& device,
                                const PlanRow& plan) {
    const SuiteResult result = run_suite(suite, device, plan);
    const char* outcome = !result.missing.empty() ? "missing" : result.good ? "passed" : "FAILED";
    fmt::print("[suite] {} {} {} {} {:.2f}\n",
               device.name,
               plan.name,
               suite.name,
               outcome,
               result.seconds);
    std::fflush(stdout);
    if (!result.missing.empty()) return;
    EXPECT_TRUE(result.good) << suite.name << ", " << plan.name << " on " << device.name << ": "
                             << result.text;
}

// What a server says; a failure if it says nothing.
inline Talk talk_with(Server& server, Talker talker) {
    const Status ready = server.wait_until_ready();
    EXPECT_TRUE(ready.ok()) << ready.error().text();
    if (!ready) return {};
    const Result<Talk> told = talker(server);
    EXPECT_TRUE(told.ok()) << told.error().text();
    return told ? told.value() : Talk{};
}

struct Told {
    Talk talk{};
    std::string log{};
};

// The same of a server that then ends, and must end well.
inline Told told_by(ChildProgram program, Talker talker) {
    Server server(std::move(program));
    SCOPED_TRACE(server.program().shell_line());
    Talk talk = talk_with(server, talker);
    const ChildResult& end = server.stop();
    EXPECT_EQ(end.exit_code, 0) << end.text();
    return {std::move(talk), end.err};
}

}  // namespace pshard::backend_test
