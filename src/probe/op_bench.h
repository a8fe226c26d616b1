// Times ops on a device of ggml, one case at a time.
#pragma once

#include <functional>
#include <vector>

#include "probe/op_case.h"
#include "probe/op_graph.h"
#include "probe/sampler.h"

namespace pshard {

struct OpBenchOptions {
    int n_threads = 1;              // the CPU's
    Bytes pool_bytes = 256 * kMiB;  // for cold operands
    Bytes cache_bytes = 32 * kMiB;  // the last level: operands rotate through twice as much
    SamplePolicy sampling{};
    Seconds graph_seconds = 4e-3;  // a graph repeats the op until it takes about this long
};

struct OpVisit {
    std::vector<Seconds> times{};   // each of one computation with its launch; never empty
    Bytes operands = 0;             // cold bytes that are read before the first come again
    double counted_per_second = 0;  // what the counter grew by while graphs were computed

    bool operator==(const OpVisit&) const = default;
};

// How many graphs of how many nodes a case is timed in; 0: not known yet.
struct OpSize {
    int n_nodes = 0;
    int n_graphs = 0;
    Seconds once = 0;  // about, of one computation

    bool operator==(const OpSize&) const = default;
};

// A node that computes next to nothing: its time is what each node takes besides its work. All
// threads work on it: those of one thread alone skip the others' barrier when they are by
// themselves, but not in the graph of a model.
[[nodiscard]] OpCase launch_case();

class OpBench {
public:
    static Result<OpBench> open(ggml_backend_dev_t device, const OpBenchOptions& options);

    // Times the case for one round. A case that is visited several times keeps its size from the
    // first time on. `budget`: of the round, in place of the policy's; an op that takes long is
    // timed as often as it allows, at least once. `counter`: something that grows meanwhile; may be
    // empty. Fails when the device does not support the case, or memory is short for it.
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
