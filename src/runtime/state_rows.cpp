// Finds which bytes of a state a pass has to upload, and which it has to store.
//
// In: llama.cpp's graph and a state's tensor. Out: one range that holds all that is read, and the
// rows that each node writes.
//
//   state   [ row 0 | row 1 | row 2 | row 3 | row 4 | ...             ]
//   reads   [------- a view of rows 0 to 3 ]                             one range: [0, 4 rows)
//   writes                          [row 3]                              as SET_ROWS' indices say
//
// A write by SET_ROWS whose indices are an input of the host touches only the rows that the input
// names. They are known when the pass runs: written_ranges() reads them then, and joins neighbours.
// Any other write counts as the whole range of its node.
//
// A product reads a little behind the last row of a quantized cache. That is uploaded, too: in a
// slot another layer's bytes lie there, and a scale among them may be no number.
//
// Traps: rows shorter than kShortRow are stored as the range that spans them, gaps included; so is
// the whole range of another write. What lies in a gap must be right, so the range of such a write
// is uploaded, too. The destination of a SET_ROWS or CPY is a source of the node in ggml, and yet
// nothing that it reads.
#include "runtime/state_rows.h"

#include <algorithm>
#include <cstdint>

#include "runtime/host_buffer.h"

namespace pshard {
namespace {

// Shorter rows are not worth a copy each: the range that spans them is copied as one.
constexpr Bytes kShortRow = 64;

Bytes begin_in_state(const ggml_tensor* tensor) {
    return tensor->view_src != nullptr ? tensor->view_offs : 0;
}

WrittenRows whole(const ggml_tensor* node) {
    WrittenRows rows;
    rows.first = begin_in_state(node);
    rows.row_bytes = rows.stride = ggml_nbytes(node);
    rows.n_rows = 1;
    return rows;
}

WrittenRows rows_of(const ggml_tensor* node) {
    const ggml_tensor* indices = node->op == GGML_OP_SET_ROWS ? node->src[1] : nullptr;
    const bool by_host = indices != nullptr && indices->op == GGML_OP_NONE &&
                         indices->view_src == nullptr && ggml_is_contiguous(indices);
    if (!by_host || node->ne[2] != 1 || node->ne[3] != 1) return whole(node);
    WrittenRows rows;
    rows.indices = indices;
    rows.first = begin_in_state(node);
    rows.row_bytes = ggml_row_size(node->type, node->ne[0]);
    rows.stride = node->nb[1];
    rows.n_rows = indices->ne[0];
    return rows;
}

// Whether bytes between those that the node writes are stored with them. They must then be uploaded
// before.
bool stores_gaps(const ggml_tensor* node, const WrittenRows& rows) {
    if (rows.indices != nullptr) return rows.row_bytes < kShortRow;
    return node->op == GGML_OP_SET_ROWS || !ggml_is_contiguous(node);
}

void include(StateAccess& access, const ggml_tensor* view, Bytes beyond = 0) {
    const Bytes begin = begin_in_state(view);
    access.read_begin = std::min(access.read_begin, begin);
    access.read_end = std::max(access.read_end, begin + ggml_nbytes(view) + beyond);
}

// The bytes behind its last row that a product may read of a quantized matrix: CUDA's kernel for
// large batches goes by blocks of values that a row need not fill (mmq.cuh, MMQ_ITER_K).
Bytes read_beyond(const ggml_tensor* node, const ggml_tensor* source) {
    constexpr std::int64_t kBlock = 256;
    const bool is_matrix = node->op == GGML_OP_MUL_MAT && source == node->src[0];
    const std::int64_t last = source->ne[0] % kBlock;
    if (!is_matrix || !ggml_is_quantized(source->type) || last == 0) return 0;
    return ggml_row_size(source->type, kBlock - last);
}

std::int64_t index_at(const ggml_tensor* indices, std::int64_t i) {
    if (indices->type == GGML_TYPE_I64) return static_cast<const std::int64_t*>(indices->data)[i];
    return static_cast<const std::int32_t*>(indices->data)[i];
}

}  // namespace

StateAccess state_access(const ggml_cgraph& graph, const ggml_tensor* state) {
    StateAccess access;
    access.read_begin = ggml_nbytes(state);
    for (int i = 0; i < graph.n_nodes; ++i) {
        const ggml_tensor* node = graph.nodes[i];
        if (ggml_op_is_empty(node->op)) continue;
        const bool writes = &root_of(*node) == state;
        if (writes) {
            access.writes.push_back(rows_of(node));
            if (stores_gaps(node, access.writes.back())) include(access, node);
        }
        for (const ggml_tensor* source : node->src) {
            const bool destination = (node->op == GGML_OP_SET_ROWS && source == node->src[2]) ||
                                     (node->op == GGML_OP_CPY && source == node->src[1]);
            if (source == nullptr || &root_of(*source) != state || destination) continue;
            include(access, source, read_beyond(node, source));
        }
    }
    access.read_end = std::min<Bytes>(access.read_end, ggml_nbytes(state));
    access.read_begin = std::min(access.read_begin, access.read_end);
    return access;
}

std::vector<std::pair<Bytes, Bytes>> written_ranges(const WrittenRows& rows) {
    if (rows.indices == nullptr) return {{rows.first, rows.first + rows.row_bytes}};
    std::vector<Bytes> begins;
    for (std::int64_t i = 0; i < rows.n_rows; ++i) {
        begins.push_back(rows.first + static_cast<Bytes>(index_at(rows.indices, i)) * rows.stride);
    }
    std::sort(begins.begin(), begins.end());
    std::vector<std::pair<Bytes, Bytes>> ranges;
    for (const Bytes begin : begins) {
        const Bytes end = begin + rows.row_bytes;
        const Bytes gap = rows.row_bytes < kShortRow ? ~Bytes{0} : 0;
        const bool joins = !ranges.empty() && begin - ranges.back().second <= gap;
        if (joins || (!ranges.empty() && begin <= ranges.back().second)) {
            ranges.back().second = std::max(ranges.back().second, end);
        } else {
            ranges.emplace_back(begin, end);
        }
    }
    return ranges;
}

}  // namespace pshard
