// How one op is timed.
//
// In:   a case, and how much time it may take.
// Out:  the seconds of one computation, several times over, its launch included.
//
//     pool   |weights 0|weights 1|weights 2| ... |weights 0 again|
//                 |         |         |
//     graph 0   node 0 -> node 1 -> node 2 ...         timed as a whole, divided by its nodes
//     graph 1   ...                                    the next visit begins where this one ended
//
// A model reads each weight once in a pass, so no cache holds it when it is needed. The nodes of a
// graph therefore read one stretch of the pool after the other, and there are enough graphs to walk
// through twice what the last cache level holds. A graph repeats the op until it takes some
// milliseconds, so that a clock's tick and the start of a graph count for nothing.
//
// Traps: the experts that a node reads are drawn, and may be those of a moment ago, so a case of
// routed experts walks twice as far. The first visit of a case finds out how many nodes and graphs
// it takes, and all later rounds keep them, since rounds would compare different things otherwise.
// An op that takes long is timed without a warm-up, and once is enough.
#include "probe/op_bench.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "ops/op_table.h"

namespace pshard {

namespace {

constexpr int kMaxNodes = 256;
constexpr int kMaxGraphs = 32;
constexpr Seconds kLong = 0.05;  // from here on, an op needs no warm-up and may be timed once

int at_least_one(double n, int most) { return static_cast<int>(std::clamp(n, 1.0, double(most))); }

}  // namespace

OpCase launch_case() { return {.op = "ADD", .type = "f32", .shape = {32, 1, 1, 1}}; }

OpBench::OpBench(ggml_backend_dev_t device, BackendHandle backend, const OpBenchOptions& options)
    : device_(device),
      backend_(std::move(backend)),
      options_(options),
      pool_(device, options.pool_bytes) {}

Result<OpBench> OpBench::open(ggml_backend_dev_t device, const OpBenchOptions& options) {
    Result<BackendHandle> backend = open_backend(device, options.n_threads);
    if (!backend) return backend.error();
    return OpBench(device, std::move(backend).value(), options);
}

// The bytes to be read before the first ones come again.
Bytes OpBench::walk_of(const OpCase& op_case) const {
    return (op_rule(op_case.op).family == OpFamily::MatMulId ? 4 : 2) * options_.cache_bytes;
}

Status OpBench::fill_pool(const OpCase& op_case) {
    const Result<ggml_backend_buffer_type_t> where = operand_buffer_type(device_, op_case);
    if (!where) return where.error();
    if (where.value() == nullptr) return Done{};
    const Bytes operand = cold_bytes(op_case);
    const Bytes wanted =
        operand == 0 ? options_.pool_bytes : std::max(walk_of(op_case), operand) + operand;
    return pool_.fill(where.value(), *ggml_type_of(op_case.type), wanted);
}

// Finds how many nodes and graphs a case takes. The time of one node tells how many make a graph
// long enough; the graphs must be enough for the walk.
Result<OpSize> OpBench::size_of(const OpCase& op_case) {
    Result<OpGraph> single = OpGraph::make(op_case, device_, pool_, 1);
    if (!single) return single.error();
    Result<Seconds> once = single.value().compute(backend_.get());
    if (once && once.value() < kLong) once = single.value().compute(backend_.get());
    if (!once) return once.error();
    const Bytes read = cold_bytes_read(op_case);
    const double operands = read == 0 ? 1 : double(walk_of(op_case)) / double(read);
    OpSize size;
    size.n_nodes = at_least_one(options_.graph_seconds / once.value(), kMaxNodes);
    size.n_graphs = at_least_one(std::ceil(operands / size.n_nodes), kMaxGraphs);
    size.once = once.value();
    return size;
}

Result<OpGraph> OpBench::graphs_for(const OpCase& op_case, OpSize& size) {
    if (const Status filled = fill_pool(op_case); !filled) return filled.error();
    if (size.n_nodes == 0) {
        const Result<OpSize> found = size_of(op_case);
        if (!found) return found.error();
        size = found.value();
    }
    return OpGraph::make(op_case, device_, pool_, size.n_nodes, size.n_graphs);
}

// Times the case for one round. A sample is the time of a whole graph over its nodes, so the
// round's budget is divided by them too.
Result<OpVisit> OpBench::visit(const OpCase& op_case,
                               OpSize& size,
                               Seconds budget,
                               const std::function<Bytes()>& counter) {
    Result<OpGraph> graphs = graphs_for(op_case, size);
    if (!graphs) return graphs.error();
    std::optional<Error> failure;
    Seconds total = 0;
    Bytes counted = 0;
    const auto measure = [&]() -> Seconds {
        const Bytes before = counter ? counter() : 0;
        const Result<Seconds> seconds = graphs.value().compute(backend_.get());
        counted += (counter ? counter() : 0) - before;
        if (!seconds) failure = seconds.error();
        total += seconds ? seconds.value() * size.n_nodes : 0;
        return seconds ? seconds.value() : 0;
    };
    SamplePolicy policy = options_.sampling;
    policy.budget = budget / size.n_nodes;
    if (size.once < kLong) {
        measure();
    } else {
        policy.min_samples = 1;
    }
    OpVisit visit{.times = times_of(measure, policy)};
    if (failure) return *failure;
    visit.operands = cold_bytes_read(op_case) * Bytes(size.n_graphs) * Bytes(size.n_nodes);
    visit.counted_per_second = total > 0 ? double(counted) / total : 0;
    return visit;
}

}  // namespace pshard
