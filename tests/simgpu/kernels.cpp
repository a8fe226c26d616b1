#include "simgpu/kernels.h"

#include <algorithm>
#include <thread>

#include <ggml-backend-impl.h>
#include <ggml-impl.h>

#include "simgpu/tensor_access.h"

namespace pshard::simgpu {

namespace {

double flops_of(const ggml_tensor* node) {
    const auto elements = static_cast<double>(ggml_nelements(node));
    switch (node->op) {
        case GGML_OP_MUL_MAT:
        case GGML_OP_MUL_MAT_ID:
            return 2 * elements * static_cast<double>(node->src[0]->ne[0]);
        case GGML_OP_FLASH_ATTN_EXT: {
            const ggml_tensor* q = node->src[0];
            const ggml_tensor* k = node->src[1];
            const ggml_tensor* v = node->src[2];
            const auto pairs = static_cast<double>(q->ne[1] * q->ne[2] * q->ne[3] * k->ne[1]);
            return 2 * pairs * static_cast<double>(k->ne[0] + v->ne[0]);
        }
        default:
            return elements;
    }
}

// The first source's bytes, where indices pick rows or experts.
double used_share(const ggml_tensor* node) {
    if (node->op == GGML_OP_GET_ROWS) {
        return static_cast<double>(ggml_nrows(node)) /
               static_cast<double>(ggml_nrows(node->src[0]));
    }
    if (node->op == GGML_OP_MUL_MAT_ID) {
        return static_cast<double>(ggml_nelements(node->src[2])) /
               static_cast<double>(node->src[0]->ne[2]);
    }
    return 1;
}

}  // namespace

ggml_backend_dev_t cpu_device() {
    static ggml_backend_dev_t device = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    if (device == nullptr) GGML_ABORT("simgpu: the host has loaded no CPU backend");
    return device;
}

NodeWork work_of(const ggml_tensor* node) {
    if (touches_nothing(node)) return {};
    NodeWork work{flops_of(node), 0};
    for (int i = 0; i < GGML_MAX_SRC; ++i) {
        const ggml_tensor* source = node->src[i];
        if (source == nullptr || source->data == node->data) continue;
        const double share = i == 0 ? std::min(1.0, used_share(node)) : 1;
        work.bytes += share * static_cast<double>(ggml_nbytes(source));
    }
    const bool few_rows = node->op == GGML_OP_SET_ROWS;  // as many as come in
    work.bytes += static_cast<double>(ggml_nbytes(few_rows ? node->src[0] : node));
    return work;
}

double node_seconds(const ggml_tensor* node, const Settings& settings) {
    if (touches_nothing(node)) return 0;
    const NodeWork work = work_of(node);
    const double compute = settings.gflops > 0 ? work.flops / (settings.gflops * 1e9) : 0;
    const double memory = settings.gbps > 0 ? work.bytes / (settings.gbps * 1e9) : 0;
    return settings.launch_us * 1e-6 + std::max(compute, memory);
}

Kernels::Kernels(const Settings& settings) : settings_(settings) {
    cpu_.reset(ggml_backend_dev_init(cpu_device(), nullptr));
    ggml_backend_reg_t reg = ggml_backend_dev_backend_reg(cpu_device());
    const auto set_n_threads = reinterpret_cast<ggml_backend_set_n_threads_t>(
        ggml_backend_reg_get_proc_address(reg, "ggml_backend_set_n_threads"));
    if (set_n_threads != nullptr) set_n_threads(cpu_.get(), 1);
}

void Kernels::run_nodes(const ggml_cgraph* graph, int first, int last) {
    if (first == last) return;
    ggml_cgraph part = *graph;
    part.nodes += first;
    part.n_nodes = last - first;
    if (ggml_backend_graph_compute(cpu_.get(), &part) != GGML_STATUS_SUCCESS) {
        GGML_ABORT("simgpu: the CPU backend could not compute a graph");
    }
}

void Kernels::run(const ggml_cgraph* graph, const std::vector<Stop>& stops) {
    const Clock::time_point start = Clock::now();
    double least = 0;
    for (int i = 0; i < graph->n_nodes; ++i) least += node_seconds(graph->nodes[i], settings_);
    int done = 0;
    for (const Stop& stop : stops) {
        run_nodes(graph, done, stop.node);
        stop.before();
        done = stop.node;
    }
    run_nodes(graph, done, graph->n_nodes);
    std::this_thread::sleep_until(start + seconds(least));
}

}  // namespace pshard::simgpu
