// The grid in GoogleTest's words.
#pragma once

#include <algorithm>
#include <cctype>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "backend/harness/grid.h"

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
    EXPECT_TRUE(cell.good) << model.name() << ", " << scenario.name << ", " << plan.name << " on "
                           << device.name << ": " << outcome_name(cell.outcome) << "\n"
                           << cell.text;
}

}  // namespace pshard::backend_test
