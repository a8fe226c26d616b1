// Times ops on a ggml device, one case at a time.
#pragma once

#include <functional>
#include <vector>

#include "probe/op_case.h"
#include "probe/op_graph.h"
#include "probe/sampler.h"

namespace pshard {

struct OpBenchOptions {
    int n_threads = 1;              // of the CPU
    Bytes pool_bytes = 256 * kMiB;  // for cold operands
    Bytes cache_bytes = 32 * kMiB;  // last cache level; operands rotate through twice as much
    SamplePolicy sampling{};
    Seconds graph_seconds = 4e-3;  // a graph repeats the op until it takes about this long
};

struct OpVisit {
    std::vector<Seconds> times{};   // each of one computation with its launch; never empty
    Bytes operands = 0;             // cold bytes that are read before the first ones come again
    double counted_per_second = 0;  // growth of the counter while graphs were computed

    bool operator==(const OpVisit&) const = default;
};

// How many graphs of how many nodes time a case; 0: not known yet.
struct OpSize {
    int n_nodes = 0;
    int n_graphs = 0;
    Seconds once = 0;  // roughly, for one computation

    bool operator==(const OpSize&) const = default;
};

// A case that computes next to nothing: its time is what each node takes besides its work. All
// threads work on it. A node that one thread computes alone would skip the barrier in a graph of
// such nodes, but not in the graph of a model.
[[nodiscard]] OpCase launch_case();

class OpBench {
public:
    static Result<OpBench> open(ggml_backend_dev_t device, const OpBenchOptions& options);

    // Times the case for one round. The first visit of a case sets `size`, later ones keep it.
    // `budget` is the time for the round, in place of the policy's; an op that takes long is timed
    // as often as the budget allows, and at least once. `counter` gives a number that grows
    // meanwhile; it may be empty. Fails if the device does not support the case, or if memory is
    // short for it.
    Result<OpVisit> visit(const OpCase& op_case,
                          OpSize& size,
                          Seconds budget,
                          const std::function<Bytes()>& counter = {});

private:
    OpBench(ggml_backend_dev_t device, BackendHandle backend, const OpBenchOptions& options);

    [[nodiscard]] Bytes walk_of(const OpCase& op_case) const;
    Status fill_pool(const OpCase& op_case);
    Result<OpSize> size_of(const OpCase& op_case);
    Result<OpGraph> graphs_for(const OpCase& op_case, OpSize& size);

    ggml_backend_dev_t device_;
    BackendHandle backend_;
    OpBenchOptions options_;
    OperandPool pool_;
};

}  // namespace pshard
