#include "simgpu/fusion.h"

#include <algorithm>

#include <ggml-impl.h>

#include "simgpu/tensor_access.h"

namespace pshard::simgpu {

namespace {

using Ops = std::vector<ggml_op>;

enum class Looks { AtAddresses, AtNothing };  // the backend, before it fuses

struct Pattern {
    Ops ops;
    std::vector<int> results;  // in `ops`; the last one always is
    Looks looks = Looks::AtNothing;
    std::int64_t most_columns = 1 << 30;  // of the first node
};

constexpr std::int64_t kVectorColumns = 8;  // that the kernels for matrix times vector take

// ---- the table ----
//
// Where a backend looks at nothing, the run is a chain: each node reads the one before it, and all
// have one shape. Else only the results are read outside the run.

Ops operator+(Ops a, const Ops& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

void add_matmuls(std::vector<Pattern>& table) {
    const Ops scale_of_experts{GGML_OP_RESHAPE, GGML_OP_REPEAT, GGML_OP_GET_ROWS, GGML_OP_MUL};
    for (const bool experts : {false, true}) {
        const ggml_op matmul = experts ? GGML_OP_MUL_MAT_ID : GGML_OP_MUL_MAT;
        const ggml_op bias = experts ? GGML_OP_ADD_ID : GGML_OP_ADD;
        const Ops scale = experts ? scale_of_experts : Ops{GGML_OP_MUL};
        const auto add = [&](const Ops& ops, Looks looks) {
            table.push_back({ops, {}, looks, kVectorColumns});
        };
        add({matmul, bias}, Looks::AtNothing);
        for (const Ops& tail : {Ops{}, Ops{bias}, scale, scale + Ops{bias}}) {
            const Ops half = Ops{matmul} + tail;
            add(half + half + Ops{GGML_OP_GLU}, Looks::AtAddresses);
            if (tail.size() > 1 || tail == scale) add(half, Looks::AtAddresses);
        }
    }
    for (const Ops& ops : {Ops{GGML_OP_MUL_MAT, GGML_OP_ADD, GGML_OP_ADD},
                           Ops{GGML_OP_MUL_MAT_ID, GGML_OP_ADD_ID, GGML_OP_MUL},
                           Ops{GGML_OP_MUL_MAT_ID, GGML_OP_MUL}}) {
        table.push_back({ops, {}, Looks::AtAddresses, kVectorColumns});
    }
}

void add_choices_of_experts(std::vector<Pattern>& table) {
    const Ops chosen{GGML_OP_ARGSORT, GGML_OP_VIEW, GGML_OP_GET_ROWS};
    const Ops norm{GGML_OP_RESHAPE, GGML_OP_SUM_ROWS, GGML_OP_CLAMP, GGML_OP_DIV, GGML_OP_RESHAPE};
    const Ops unary{GGML_OP_UNARY, GGML_OP_RESHAPE};
    const Ops root{GGML_OP_UNARY, GGML_OP_SQRT, GGML_OP_RESHAPE};
    const Ops softmax{GGML_OP_SOFT_MAX, GGML_OP_RESHAPE};
    const Ops last{GGML_OP_RESHAPE, GGML_OP_SOFT_MAX, GGML_OP_RESHAPE};
    const auto add = [&](const Ops& gate, const Ops& tail) {
        for (const Ops& end : {Ops{}, Ops{GGML_OP_SCALE}}) {
            const int ids = static_cast<int>(gate.size()) + 1;
            table.push_back({gate + chosen + tail + end, {ids}, Looks::AtAddresses});
        }
    };
    for (const Ops& gate : {softmax, unary, root}) {
        for (const Ops& biased : {gate, gate + Ops{GGML_OP_ADD}}) {
            add(biased, {});
            add(biased, norm);
        }
    }
    add({}, last);
    const Ops rows{GGML_OP_GET_ROWS, GGML_OP_PERMUTE, GGML_OP_CONT, GGML_OP_CPY};
    const Ops best{GGML_OP_RESHAPE, GGML_OP_ADD, GGML_OP_TOP_K};
    table.push_back({rows + best, {}, Looks::AtAddresses});
}

void add_sums_of_experts(std::vector<Pattern>& table) {
    constexpr std::size_t kMostExperts = 15;
    for (std::size_t n = 2; n <= kMostExperts; ++n) {
        const Ops sum = Ops(n, GGML_OP_VIEW) + Ops(n - 1, GGML_OP_ADD);
        table.push_back({Ops{GGML_OP_MUL} + sum, {}, Looks::AtAddresses});
        const bool too_long = 2 * n + 1 > 31;  // as many as ggml_can_fuse_subgraph takes
        if (!too_long) {
            table.push_back({Ops{GGML_OP_MUL, GGML_OP_MUL} + sum, {}, Looks::AtAddresses});
        }
    }
}

void add_rows(std::vector<Pattern>& table) {
    for (const Ops& ops : {Ops{GGML_OP_RMS_NORM, GGML_OP_MUL},
                           Ops{GGML_OP_RMS_NORM, GGML_OP_MUL, GGML_OP_ADD},
                           Ops{GGML_OP_RMS_NORM, GGML_OP_MUL, GGML_OP_ADD, GGML_OP_MUL},
                           Ops{GGML_OP_UNARY, GGML_OP_MUL},
                           Ops{GGML_OP_UNARY, GGML_OP_SQR},
                           Ops{GGML_OP_SCALE, GGML_OP_UNARY, GGML_OP_SCALE},
                           Ops{GGML_OP_MUL, GGML_OP_SIN, GGML_OP_SQR, GGML_OP_MUL, GGML_OP_ADD}}) {
        table.push_back({ops, {}});
    }
    for (int n = 2; n <= 8; ++n) {
        table.push_back({Ops(static_cast<std::size_t>(n), GGML_OP_ADD), {}});
        table.push_back({Ops(static_cast<std::size_t>(n), GGML_OP_MUL), {}});
    }
    table.push_back({{GGML_OP_SSM_CONV, GGML_OP_UNARY}, {}, Looks::AtNothing});
    table.push_back({{GGML_OP_SSM_CONV, GGML_OP_ADD, GGML_OP_UNARY}, {}, Looks::AtNothing});
    const Ops rope{GGML_OP_RMS_NORM, GGML_OP_MUL, GGML_OP_ROPE};
    table.push_back({rope, {}, Looks::AtAddresses});
    table.push_back({rope + Ops{GGML_OP_VIEW, GGML_OP_SET_ROWS}, {}, Looks::AtAddresses});
    table.push_back({{GGML_OP_ROPE, GGML_OP_VIEW, GGML_OP_SET_ROWS}, {}, Looks::AtAddresses});
    table.push_back({{GGML_OP_RMS_NORM, GGML_OP_VIEW, GGML_OP_SET_ROWS}, {}, Looks::AtAddresses});
}

std::vector<Pattern> make_table() {
    std::vector<Pattern> table;
    add_matmuls(table);
    add_choices_of_experts(table);
    add_sums_of_experts(table);
    add_rows(table);
    for (Pattern& pattern : table) {
        pattern.results.push_back(static_cast<int>(pattern.ops.size()) - 1);
    }
    return table;
}

const std::vector<Pattern>& table() {
    static const std::vector<Pattern> made = make_table();
    return made;
}

// ---- one fused run ----

// Each element, or each row, by the threads that write it then.
bool reads_before_it_writes(ggml_op op) {
    constexpr ggml_op kOps[] = {GGML_OP_ADD,
                                GGML_OP_ADD_ID,
                                GGML_OP_MUL,
                                GGML_OP_DIV,
                                GGML_OP_SQR,
                                GGML_OP_SIN,
                                GGML_OP_SCALE,
                                GGML_OP_UNARY,
                                GGML_OP_RMS_NORM,
                                GGML_OP_ROPE};
    return std::find(std::begin(kOps), std::end(kOps), op) != std::end(kOps);
}

class Run {
public:
    Run(const ggml_cgraph* graph, int first, const Pattern& pattern)
        : graph_(graph), first_(first), pattern_(pattern) {}

    [[nodiscard]] bool is_fused() const {
        const ggml_op* ops = pattern_.ops.data();
        if (columns(node(0)) > pattern_.most_columns) return false;
        if (pattern_.looks == Looks::AtNothing) {
            return ggml_can_fuse(graph_, first_, ops, n_nodes());
        }
        std::vector<int> results = pattern_.results;
        for (int& result : results) result += first_;
        const auto n_results = static_cast<int>(results.size());
        return ggml_can_fuse_subgraph(graph_, first_, n_nodes(), ops, results.data(), n_results);
    }

    // One for each read that a result overlaps; none where the backend would see an overlap.
    [[nodiscard]] std::vector<Fault> faults() const {
        std::vector<Fault> found;
        for (int i = 0; i < n_nodes(); ++i) {
            for (int k = 0; k < GGML_MAX_SRC; ++k) {
                const ggml_tensor* source = node(i)->src[k];
                if (source == nullptr || is_made_here(source)) continue;
                if (is_destination(node(i), k)) continue;
                const ggml_tensor* result = written_over(source, i);
                if (result == nullptr) continue;
                if (is_seen(source)) return {};
                found.push_back(fault(result, source));
            }
        }
        return found;
    }

private:
    [[nodiscard]] const ggml_tensor* node(int i) const { return graph_->nodes[first_ + i]; }

    [[nodiscard]] int n_nodes() const { return static_cast<int>(pattern_.ops.size()); }

    static std::int64_t columns(const ggml_tensor* node) {
        return node->ne[node->op == GGML_OP_MUL_MAT_ID ? 2 : 1];
    }

    [[nodiscard]] bool is_made_here(const ggml_tensor* source) const {
        const ggml_tensor* root = source->view_src != nullptr ? source->view_src : source;
        const auto made = [&](const ggml_tensor* tensor) { return tensor == root; };
        return std::any_of(graph_->nodes + first_, graph_->nodes + first_ + n_nodes(), made);
    }

    [[nodiscard]] bool is_seen(const ggml_tensor* source) const {
        return pattern_.looks == Looks::AtAddresses && source->op != GGML_OP_NONE;
    }

    // The result that lies on what node i reads, other than element on element.
    [[nodiscard]] const ggml_tensor* written_over(const ggml_tensor* source, int i) const {
        const Range read = range_of(source->data, ggml_nbytes(source));
        for (const int at : pattern_.results) {
            const ggml_tensor* result = node(at);
            const Range written = range_of(result->data, ggml_nbytes(result));
            if (read.begin >= written.end || written.begin >= read.end) continue;
            const bool same = read.begin == written.begin && read.end == written.end;
            if (!same || !reads_before_it_writes(node(i)->op)) return result;
        }
        return nullptr;
    }

    [[nodiscard]] Fault fault(const ggml_tensor* result, const ggml_tensor* source) const {
        const std::string last = operation_name(node(n_nodes() - 1));
        return {FaultKind::FusedOverwrite,
                range_of(result->data, ggml_nbytes(result)),
                operation_name(node(0)) + ", fused up to " + last + ",",
                source->name,
                {}};
    }

    const ggml_cgraph* graph_;
    int first_;
    const Pattern& pattern_;
};

}  // namespace

std::vector<Fault> faults_of_fusion(const ggml_cgraph* graph, int first) {
    std::vector<Fault> found;
    for (const Pattern& pattern : table()) {
        if (pattern.ops[0] != graph->nodes[first]->op) continue;
        const Run run(graph, first, pattern);
        if (!run.is_fused()) continue;
        const std::vector<Fault> faults = run.faults();
        found.insert(found.end(), faults.begin(), faults.end());
    }
    return found;
}

}  // namespace pshard::simgpu
