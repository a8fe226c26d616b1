// Times ops on a device of ggml, one case at a time.
#pragma once

#include <functional>
#include <optional>

#include "probe/op_case.h"
#include "probe/op_graph.h"
#include "probe/sampler.h"

namespace pshard {

struct OpBenchOptions {
    int n_threads = 1;              // the CPU's
    Bytes pool_bytes = 256 * kMiB;  // of cold operands
    Bytes cache_bytes = 32 * kMiB;  // the last level: operands rotate through twice as much
    SamplePolicy sampling{};
    Seconds graph_seconds = 4e-3;  // a graph repeats the op until it takes about this long
};

struct OpTiming {
    Sample sample{};                // seconds of one computation, its launch included
    Bytes operands = 0;             // cold ones walked through before the first comes again
    double counted_per_second = 0;  // what the counter grew by while graphs were computed

    bool operator==(const OpTiming&) const = default;
};

class OpBench {
public:
    static Result<OpBench> open(ggml_backend_dev_t device, const OpBenchOptions& options);

    // Fails when the device does not support the case, or memory is short for it.
    // `counter`: something that grows meanwhile; may be empty.
    Result<OpTiming> time(const OpCase& op_case, const std::function<Bytes()>& counter = {});

    // Seconds of a node that computes next to nothing. Measured at the first call.
    Result<Seconds> launch_seconds();

private:
    OpBench(ggml_backend_dev_t device, BackendPtr backend, const OpBenchOptions& options);

    Result<std::vector<OpGraph>> graphs_for(const OpCase& op_case);

    ggml_backend_dev_t device_;
    BackendPtr backend_;
    OpBenchOptions options_;
    OperandPool pool_;
    std::optional<Seconds> launch_{};
};

}  // namespace pshard
