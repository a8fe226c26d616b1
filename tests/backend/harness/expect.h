// The grid in GoogleTest's words.
#pragma once

#include <algorithm>
#include <cctype>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "backend/harness/grid.h"
#include "backend/harness/programs.h"
#include "support/sanitizer.h"

namespace pshard::backend_test {

// `text` as a part of a test's name: letters, digits and '_'.
inline std::string test_name(std::string text) {
    std::ranges::replace_if(
        text, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
    return text;
}

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

}  // namespace pshard::backend_test
