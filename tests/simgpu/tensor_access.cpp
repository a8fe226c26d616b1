#include "simgpu/tensor_access.h"

namespace pshard::simgpu {

namespace {

constexpr std::int64_t kMostRows = 64;  // of a view, told one by one

// How many dimensions lie one after another without a gap: at least the first.
int n_dense_dims(const ggml_tensor* tensor) {
    std::size_t expected = ggml_row_size(tensor->type, tensor->ne[0]);
    if (tensor->nb[0] != ggml_type_size(tensor->type)) return 0;
    for (int i = 1; i < GGML_MAX_DIMS; ++i) {
        if (tensor->ne[i] != 1 && tensor->nb[i] != expected) return i;
        expected *= static_cast<std::size_t>(tensor->ne[i]);
    }
    return GGML_MAX_DIMS;
}

void add_accesses(const ggml_tensor* tensor, bool writes, std::vector<Access>& accesses) {
    for (const Range& range : extents_of(tensor)) {
        accesses.push_back({range, writes, Memory::Device, tensor->name});
    }
}

}  // namespace

Range range_of(const void* data, std::size_t bytes) {
    const auto begin = reinterpret_cast<std::uintptr_t>(data);
    return {begin, begin + bytes};
}

std::vector<Range> extents_of(const ggml_tensor* tensor) {
    const Range whole = range_of(tensor->data, ggml_nbytes(tensor));
    const int n_dense = n_dense_dims(tensor);
    if (n_dense == 0 || n_dense == GGML_MAX_DIMS) return {whole};
    std::size_t bytes = ggml_row_size(tensor->type, tensor->ne[0]);
    for (int i = 1; i < n_dense; ++i) bytes *= static_cast<std::size_t>(tensor->ne[i]);
    std::int64_t n_rows = 1;
    for (int i = n_dense; i < GGML_MAX_DIMS; ++i) n_rows *= tensor->ne[i];
    if (n_rows > kMostRows) return {whole};
    std::vector<Range> rows;
    for (std::int64_t row = 0; row < n_rows; ++row) {
        std::int64_t left = row;
        std::uintptr_t begin = whole.begin;
        for (int i = n_dense; i < GGML_MAX_DIMS; ++i) {
            begin += static_cast<std::uintptr_t>(left % tensor->ne[i]) * tensor->nb[i];
            left /= tensor->ne[i];
        }
        rows.push_back({begin, begin + bytes});
    }
    return rows;
}

bool reads_by_index(const ggml_tensor* node) {
    return node->op == GGML_OP_MUL_MAT_ID || node->op == GGML_OP_GET_ROWS;
}

bool touches_nothing(const ggml_tensor* node) {
    if (ggml_is_empty(node)) return true;
    switch (node->op) {
        case GGML_OP_NONE:
        case GGML_OP_VIEW:
        case GGML_OP_RESHAPE:
        case GGML_OP_PERMUTE:
        case GGML_OP_TRANSPOSE:
            return true;
        default:
            return false;
    }
}

bool is_destination(const ggml_tensor* node, int source) {
    return (node->op == GGML_OP_CPY && source == 1) ||
           (node->op == GGML_OP_SET_ROWS && source == 2);
}

std::vector<Access> accesses_of(const ggml_tensor* node) {
    std::vector<Access> accesses;
    for (int i = 0; i < GGML_MAX_SRC; ++i) {
        const ggml_tensor* source = node->src[i];
        if (source == nullptr || ggml_is_empty(source) || is_destination(node, i)) continue;
        const std::size_t first = accesses.size();
        add_accesses(source, false, accesses);
        if (i != 0 || !reads_by_index(node)) continue;
        for (std::size_t k = first; k < accesses.size(); ++k) accesses[k].needs_all = false;
    }
    add_accesses(node, true, accesses);
    return accesses;
}

std::string operation_name(const ggml_tensor* node) {
    return std::string(ggml_op_desc(node)) + " " + node->name;
}

}  // namespace pshard::simgpu
