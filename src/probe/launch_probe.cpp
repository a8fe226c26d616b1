#include "probe/launch_probe.h"

#include <algorithm>
#include <utility>

#include "probe/tiny_graph.h"

namespace pshard {

namespace {

constexpr int kNodes = 1024;
constexpr int kFewNodes = 64;
constexpr int kGraphs = 64;
constexpr int kCaptureRounds = 3;  // a backend captures a graph only when it comes again

Result<Seconds> time_graphs(ggml_backend_dev_t device,
                            ggml_backend_t backend,
                            const std::pair<int, int>& nodes_and_graphs,
                            const SamplePolicy& policy) {
    const auto [n_nodes, n_graphs] = nodes_and_graphs;
    const Result<TinyGraph> graph = TinyGraph::make(device, n_nodes, n_graphs);
    if (!graph) return graph.error();
    Status last = Done{};
    const auto measure = [&] {
        return time_of([&] {
            last = graph.value().compute(backend);
            ggml_backend_synchronize(backend);
        });
    };
    for (int i = 0; i < kCaptureRounds && last; i++) measure();
    if (!last) return last.error();
    const Sample sampled = sample(measure, policy);
    if (!last) return last.error();
    return sampled.median;
}

}  // namespace

Result<LaunchCosts> measure_launches(ggml_backend_dev_t device,
                                     int n_threads,
                                     const SamplePolicy& policy) {
    Result<BackendHandle> backend = open_backend(device, n_threads);
    if (!backend) return backend.error();
    ggml_backend_t queue = backend.value().get();
    const Result<Seconds> few = time_graphs(device, queue, {kFewNodes, 1}, policy);
    if (!few) return few.error();
    const Result<Seconds> one = time_graphs(device, queue, {kNodes, 1}, policy);
    if (!one) return one.error();
    const Result<Seconds> many = time_graphs(device, queue, {kNodes, kGraphs}, policy);
    if (!many) return many.error();
    LaunchCosts costs;
    costs.node = std::max(0.0, one.value() - few.value()) / (kNodes - kFewNodes);
    if (many.value() > one.value()) costs.graph = (many.value() - one.value()) / (kGraphs - 1);
    return costs;
}

}  // namespace pshard
