// The grid of runs: (model) x (scenario) x (plan) x (inner device), each held against stock
// llama.cpp doing the same without PSHARD0.
//
// What stock is, so that every bit must be the same:
//   inner device   stock run                        why
//   cpu            the CPU alone, both --no-repack  weights on the "GPU" are not repacked
//   simgpu         SIM0 alone
//   vulkan         Vulkan0 alone, both without     the order of nodes and where a graph is cut
//                  fusion and graph_optimize       choose what is fused
//   vulkan-fused   Vulkan0 alone                   all runs must only be close
// A plan that computes a part on the CPU uses the CPU's kernels there. On cpu and simgpu these are
// the same, unless the model has weights that the CPU backend keeps in a layout of its own, which
// it is asked (cpu_layouts.h); then, and on vulkan, such plans must only be close.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "backend/harness/child_run.h"
#include "backend/harness/records.h"

namespace pshard::backend_test {

struct InnerDevice {
    std::string name;
    std::string stock_name;                   // for --device
    Environment stock{};                      // of the stock run
    Environment inner{};                      // of the run with PSHARD0, which is told the device
    std::vector<std::string> common_flags{};  // of both
    std::string missing{};                    // why it cannot be used here; empty: it can
    bool as_cpu = true;                       // computes as the CPU does, bit for bit
    bool fuses = false;                       // with other last digits
    int limit_seconds = 120;
};

InnerDevice inner_device(const std::string& name);
const std::vector<std::string>& inner_device_names();

struct ModelRow {
    std::string arch;
    std::string quant;
    int n_split = 1;  // files that it is written to

    [[nodiscard]] std::string name() const;
};

struct ScenarioRow {
    std::string name;
    std::vector<std::string> flags{};  // of logits_run, with its --scenario

    [[nodiscard]] static ScenarioRow plain(const std::string& scenario) {
        return {scenario, {"--scenario", scenario}};
    }
};

struct PlanRow {
    std::string name;
    Environment environment{};
    bool gpu_only = false;  // no weight is computed on the CPU, but token_embd
};

const std::vector<ModelRow>& all_models();
const std::vector<ScenarioRow>& all_scenarios();
const std::vector<PlanRow>& all_plans();
const ModelRow& model_row(const std::string& name);
const ScenarioRow& scenario_row(const std::string& name);
const PlanRow& plan_row(const std::string& name);

enum class Outcome { Identical, Close, Different, Failed, Unsupported };

const char* outcome_name(Outcome outcome);

struct CellResult {
    Outcome outcome = Outcome::Failed;
    bool good = false;  // as much as can be asked of this cell
    double seconds = 0;
    std::string text{};  // what differs or went wrong, and the two commands
};

// Runs cells. Stock runs and models are made once for a grid; they stay in a folder beside
// logits_run, so that the commands of a failed cell can be run again by hand.
class Grid {
public:
    explicit Grid(const InnerDevice& device);

    CellResult run(const ModelRow& model, const ScenarioRow& scenario, const PlanRow& plan);

    // Without PSHARD0: two stock runs, the second with other flags.
    CellResult run_stock(const ModelRow& model,
                         const ScenarioRow& scenario,
                         const std::vector<std::string>& other_flags);

    // Whether such a run must be stock's bit for bit.
    bool computes_as_stock(const ModelRow& model, const PlanRow& plan);

    // Whether the CPU backend keeps some of the model's weights in a layout of its own.
    bool has_own_layouts(const ModelRow& model);

    // The model's files in order, written now unless they were.
    const std::vector<std::string>& model_files(const ModelRow& model);

    // The one to load it by.
    const std::string& model_file(const ModelRow& model) { return model_files(model).front(); }

private:
    struct Run {
        ChildProgram program{};
        ChildResult result{};
        Records records{};
    };

    Run run_program(const ModelRow& model,
                    const ScenarioRow& scenario,
                    const Environment& environment,
                    const std::vector<std::string>& flags);
    const Run& stock(const ModelRow& model, const ScenarioRow& scenario);
    static CellResult judge(const Run& expected, const Run& actual, bool exact);

    InnerDevice device_;
    std::map<std::string, std::vector<std::string>> models_{};
    std::map<std::string, Run> stock_{};
};

// The environment of a program that shall see PSHARD0 over the device.
Environment pshard_environment(const InnerDevice& device, const PlanRow& plan);

// Why there is no PSHARD0 here; empty: there is.
std::string plugin_missing();

}  // namespace pshard::backend_test

// Skips a test, and says why, where libggml-pshard.so was not built.
#define PSHARD_NEEDS_PLUGIN()                                                 \
    do {                                                                      \
        const std::string why = ::pshard::backend_test::plugin_missing();     \
        if (!why.empty()) GTEST_SKIP() << "needs libggml-pshard.so: " << why; \
    } while (false)

// Skips a test where an InnerDevice cannot be had.
#define PSHARD_NEEDS_DEVICE(device)                                                             \
    do {                                                                                        \
        if (!(device).missing.empty())                                                          \
            GTEST_SKIP() << "needs the device '" << (device).name << "': " << (device).missing; \
    } while (false)
