// Times a list of cases on one device and makes profile rows of them: in several rounds, spread
// over the whole run, since a machine has slow seconds. A row holds the op's work alone, without
// its launch (launch_case), which the planner adds for every node. A case that the device does not
// support, or that does not fit, makes no row and is named instead.
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
    double done_share = 0;  // share of the cases, or of the time limit if that is larger
    Seconds elapsed = 0;
};

struct ProfileOpsOptions {
    OpBenchOptions bench{};
    int n_rounds = 3;
    std::optional<Seconds> time_limit{};  // no case begins after it; the rounds share it
    // Starts the copies under which cases are timed again; empty: no case is.
    std::function<Result<std::unique_ptr<CopyLoad>>()> start_copies{};
    std::function<void(const OpProgress&)> on_progress{};
    std::function<bool()> wants_stop{};  // asked before each case
};

struct MeasuredOps {
    std::vector<OpRow> rows{};  // ridges are not set
    Seconds launch_seconds = 0;
    std::vector<std::string> left_out{};  // one sentence for each case without a row
    std::vector<OpCase> unreached{};      // cases that the time limit cut off
    bool stopped = false;                 // whether wants_stop ended it
    // GFLOP/s under copies over GFLOP/s alone, for all rows together that were timed twice.
    std::optional<double> share_under_copies{};
    // The rate of the copies meanwhile, both directions together.
    std::optional<double> copies_bytes_per_second{};
};

// Fails if the device does not open, or stops working.
[[nodiscard]] Result<MeasuredOps> profile_ops(ggml_backend_dev_t device,
                                              const std::vector<OpCase>& cases,
                                              const ProfileOpsOptions& options);

// If more than half of the rows are noisy, says that the machine was busy and what to do; else
// empty.
[[nodiscard]] std::string busy_note(const std::vector<OpRow>& rows);

// Puts rows with their ridges, the launch, and the rate of a recurrence into a CPU's profile. Its
// bandwidth stays as the probe found it, unless the rows streamed more.
void put_ops(const MeasuredOps& ops, CpuProfile& cpu);

// The same for a GPU. Its bandwidth is what matmuls of one token streamed (an op on activations
// runs from the cache). Its peak is the best rate of the rows above 10 FLOP/byte [S2]. A figure
// without such rows stays unknown.
void put_ops(const MeasuredOps& ops, GpuProfile& gpu);

}  // namespace pshard
