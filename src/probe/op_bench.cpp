#include "probe/op_bench.h"

#include <algorithm>
#include <cmath>

namespace pshard {

namespace {

constexpr int kMaxNodes = 256;
constexpr int kMaxGraphs = 32;

int at_least_one(double n, int most) { return static_cast<int>(std::clamp(n, 1.0, double(most))); }

}  // namespace

OpBench::OpBench(ggml_backend_dev_t device, BackendPtr backend, const OpBenchOptions& options)
    : device_(device),
      backend_(std::move(backend)),
      options_(options),
      pool_(device, options.pool_bytes) {}

Result<OpBench> OpBench::open(ggml_backend_dev_t device, const OpBenchOptions& options) {
    Result<BackendPtr> backend = open_backend(device, options.n_threads);
    if (!backend) return backend.error();
    return OpBench(device, std::move(backend).value(), options);
}

// A first graph of one node tells how many make a graph long enough; and there are as many graphs
// as it takes to walk through more operands than a cache holds.
Result<std::vector<OpGraph>> OpBench::graphs_for(const OpCase& op_case) {
    Result<OpGraph> first = OpGraph::make(op_case, device_, pool_, 1);
    if (!first) return first.error();
    const Result<Seconds> warm_up = first.value().compute(backend_.get());
    if (!warm_up) return warm_up.error();
    const Result<Seconds> once = first.value().compute(backend_.get());
    if (!once) return once.error();
    const int n_nodes = at_least_one(options_.graph_seconds / once.value(), kMaxNodes);
    const double operands = cold_bytes(op_case) == 0
                                ? 1
                                : 2 * double(options_.cache_bytes) / double(cold_bytes(op_case));
    const int n_graphs = at_least_one(std::ceil(operands / n_nodes), kMaxGraphs);
    std::vector<OpGraph> graphs;
    for (int i = 0; i < n_graphs; i++) {
        Result<OpGraph> graph = OpGraph::make(op_case, device_, pool_, n_nodes);
        if (!graph) return graph.error();
        graphs.push_back(std::move(graph).value());
    }
    return graphs;
}

Result<OpTiming> OpBench::time(const OpCase& op_case, const std::function<Bytes()>& counter) {
    const Result<ggml_backend_buffer_type_t> where = operand_buffer_type(device_, op_case);
    if (!where) return where.error();
    if (where.value() != nullptr) {
        const auto type = ggml_type_of(op_case.type);
        if (Status filled = pool_.fill(where.value(), *type); !filled) return filled.error();
    }
    Result<std::vector<OpGraph>> made = graphs_for(op_case);
    if (!made) return made.error();
    std::vector<OpGraph>& graphs = made.value();
    std::optional<Error> failure;
    std::size_t next = 0;
    Seconds total = 0;
    Bytes counted = 0;
    const auto measure = [&]() -> Seconds {
        const Bytes before = counter ? counter() : 0;
        OpGraph& graph = graphs[next++ % graphs.size()];
        const Result<Seconds> seconds = graph.compute(backend_.get());
        counted += (counter ? counter() : 0) - before;
        if (!seconds) {
            failure = seconds.error();
            return 0;
        }
        total += seconds.value() * graph.n_nodes();
        return seconds.value();
    };
    SamplePolicy policy = options_.sampling;  // its budget counts whole graphs
    policy.budget /= graphs.front().n_nodes();
    const Sample timed = sample(measure, policy);
    if (failure) return *failure;
    const Bytes walked = cold_bytes(op_case) * graphs.size() * Bytes(graphs.front().n_nodes());
    return OpTiming{timed, walked, total > 0 ? double(counted) / total : 0};
}

Result<Seconds> OpBench::launch_seconds() {
    if (launch_) return *launch_;
    // An op that all threads work on: those of one thread alone skip the others' barrier when they
    // are by themselves, but not in the graph of a model.
    const OpCase tiny{.op = "ADD", .type = "f32", .shape = {32, 1, 1, 1}};
    const Result<OpTiming> timing = time(tiny);
    if (!timing) return timing.error();
    launch_ = timing.value().sample.median;
    return *launch_;
}

}  // namespace pshard
