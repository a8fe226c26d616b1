// The whole grid over the fake, and the lines that docs/results/cuda-host.md is made of;
// scripts/check-all runs it.
#include <array>
#include <utility>

#include "fakecuda/host_cells.h"
#include "support/testing.h"

namespace pshard::backend_test {
namespace {

constexpr std::array kStepColumns = {"kernels",
                                     "graph_launches",
                                     "uploads_locked",
                                     "uploads_pageable",
                                     "downloads_locked",
                                     "downloads_pageable",
                                     "device_copies",
                                     "queue_waits",
                                     "event_waits",
                                     "stream_waits",
                                     "sleeps",
                                     "host_us"};

TEST(FakeCudaGrid, RunsWithoutAFault) {
    if (!host_cells_missing().empty()) GTEST_SKIP() << host_cells_missing();
    for (const HostCell& cell : all_host_cells()) {
        const HostResult result = run_host_cell(cell);
        fmt::print(
            "[host cell] {} {} {:.1f} s\n", cell.name(), result.peak_text(), result.child.seconds);
        std::fflush(stdout);
        EXPECT_EQ(result.problem(), "") << cell.name();
    }
}

// A row for each model and plan, with the columns of scripts/cuda-host.
TEST(FakeCudaGrid, TellsWhatAStepCosts) {
    if (!host_cells_missing().empty()) GTEST_SKIP() << host_cells_missing();
    std::string last;
    for (const HostCell& all : all_host_cells()) {
        if (all.attention != "fa-f16" || all.load_mode != "mmap" || all.device != 0) continue;
        if (all.quant != "Q8_0") continue;
        std::vector<std::string> plans = {all.plan};
        if (all.arch != std::exchange(last, all.arch)) plans.insert(plans.begin(), "stock");
        for (const std::string& plan : plans) {
            HostCell cell = all;
            cell.plan = plan;
            HostResult result = run_host_cell(cell, {{"FAKECUDA_CHECK", "0"}});
            EXPECT_EQ(result.problem(), "") << cell.name();
            if (result.decode.empty()) continue;
            fmt::print("[host step] {} {}", cell.arch, cell.plan);
            for (const char* count : kStepColumns) fmt::print(" {}", result.decode.at(count));
            fmt::print("\n");
            std::fflush(stdout);
        }
    }
}

}  // namespace
}  // namespace pshard::backend_test
