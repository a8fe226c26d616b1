// Times a list of ops on one device and makes profile rows of them.
//
// A machine has slow seconds: other programs, clocks, the neighbours of a virtual machine. So each
// case is visited in several rounds, spread over the whole run. The mean of all its times counts,
// as a run is a sum of them (the longest twentieth is left out), and its noise is the spread of
// their quartiles. A second round begins when every case was visited once.
//
// A row holds the op's work alone: what a launch takes (launch_case) is subtracted, since the
// planner adds it for every node. Cases that the device does not support, or that do not fit, make
// no row and are named instead.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "probe/op_bench.h"

namespace pshard {

class CopyLoad;

struct OpProgress {
    std::string what{};     // the case that comes next
    double done_share = 0;  // share of the cases or, where that is further, of the time limit
    Seconds elapsed = 0;
};

struct ProfileOpsOptions {
    OpBenchOptions bench{};
    int n_rounds = 3;
    std::optional<Seconds> time_limit{};  // no case is begun after it; the rounds share it
    // Starts the copies under which cases are timed again; empty: they are not.
    std::function<Result<std::unique_ptr<CopyLoad>>()> start_copies{};
    std::function<void(const OpProgress&)> on_progress{};
    std::function<bool()> wants_stop{};  // asked before each case
};

struct MeasuredOps {
    std::vector<OpRow> rows{};  // ridges are not set
    Seconds launch_seconds = 0;
    std::vector<std::string> left_out{};  // one sentence for each case without a row
    std::vector<OpCase> unreached{};      // by the time limit
    bool stopped = false;
    // GFLOP/s under copies over GFLOP/s alone, all rows that were timed twice.
    std::optional<double> share_under_copies{};
    // Host to device and back together, while those ran.
    std::optional<double> copies_bytes_per_second{};
};

// Fails when the device does not open, or stops working.
[[nodiscard]] Result<MeasuredOps> profile_ops(ggml_backend_dev_t device,
                                              const std::vector<OpCase>& cases,
                                              const ProfileOpsOptions& options);

// Where more than a half of the rows is noisy: that the machine was busy, and what to do. Else
// empty.
[[nodiscard]] std::string busy_note(const std::vector<OpRow>& rows);

// Rows with their ridges, launch, what a recurrence reaches, and memory bandwidth of a CPU whose
// bandwidth was probed: the probe's, or what the rows streamed where that is more.
void put_ops(const MeasuredOps& ops, CpuProfile& cpu);

// The same of a GPU: its bandwidth is what matmuls of one token streamed (an op on activations runs
// from the cache), its peak the best rate of what counts more than 10 FLOP/byte [S2].
// Without such rows it stays unknown.
void put_ops(const MeasuredOps& ops, GpuProfile& gpu);

}  // namespace pshard
