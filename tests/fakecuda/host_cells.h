// Cells of (model) x (plan) x (attention) x (load mode) x (inner device), each a run of PSHARD0 in
// llama.cpp over the real ggml-cuda and the fake below it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "backend/harness/child_run.h"

namespace pshard::backend_test {

struct HostCell {
    std::string arch;
    std::string plan{};  // a row of all_plans(), or "stock": CUDA0 without PSHARD0
    std::string attention = "fa-f16";
    std::string load_mode = "auto";
    int device = 0;  // 1: CUDA1 of two cards
    std::string quant = "Q8_0";
    std::vector<std::string> flags{};  // of host_run, besides
    std::string exit{};                // as host_run's --exit
    std::string file{};                // the model; empty: the small one of `arch` and `quant`

    [[nodiscard]] std::string name() const;
};

// All of PSHARD0's.
std::vector<HostCell> all_host_cells();

// About `n` of them, others for each turn; n turns further on all have been taken.
std::vector<HostCell> sample_of_host_cells(std::size_t n, std::size_t turn);

struct HostResult {
    ChildResult child{};
    std::string command{};
    std::map<std::string, double> prompt{};  // by count, as host_run prints
    std::map<std::string, double> decode{};
    std::map<std::string, std::string>
        report{};  // lines of the fake's report by their first word but one
    std::vector<std::string> faults{};

    // Most bytes of device 0 at one time: buffers, pools, graphs, contexts.
    [[nodiscard]] std::string peak_text() const;

    // Most bytes of a device at one time in buffers, pools and graphs.
    [[nodiscard]] double bytes_in_all() const;

    // The same, less what PSHARD0 told of its device memory.
    [[nodiscard]] double bytes_above_what_was_told() const;

    // What is wrong; empty: nothing, or llama.cpp says that it cannot do this.
    [[nodiscard]] std::string problem() const;
};

// `more`: of the environment; of the fake, and what it shall refuse.
HostResult run_host_cell(const HostCell& cell, const Environment& more = {});

// Why no cell can be run here; empty: they can.
std::string host_cells_missing();

}  // namespace pshard::backend_test
