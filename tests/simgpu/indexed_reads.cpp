#include "simgpu/indexed_reads.h"

#include <algorithm>
#include <cstring>

namespace pshard::simgpu {

namespace {

const ggml_tensor* indices_of(const ggml_tensor* node) {
    return node->op == GGML_OP_MUL_MAT_ID ? node->src[2] : node->src[1];
}

std::optional<Range> common(Range a, const std::vector<Range>& others) {
    for (const Range& b : others) {
        const Range both{std::max(a.begin, b.begin), std::min(a.end, b.end)};
        if (both.begin < both.end) return both;
    }
    return std::nullopt;
}

std::int32_t index_at(const ggml_tensor* indices, std::int64_t number) {
    std::size_t at = 0;
    for (int i = 0; i < GGML_MAX_DIMS; ++i) {
        at += static_cast<std::size_t>(number % indices->ne[i]) * indices->nb[i];
        number /= indices->ne[i];
    }
    std::int32_t index = 0;
    std::memcpy(&index, static_cast<const char*>(indices->data) + at, sizeof index);
    return index;
}

// What one index names: an expert, or a row of the batch that the index belongs to.
Range named(const ggml_tensor* node, const ggml_tensor* indices, std::int64_t number) {
    const ggml_tensor* source = node->src[0];
    auto begin = reinterpret_cast<std::uintptr_t>(source->data);
    const auto index = static_cast<std::size_t>(index_at(indices, number));
    if (node->op == GGML_OP_MUL_MAT_ID) {
        const std::uintptr_t expert = begin + index * source->nb[2];
        return {expert, expert + source->nb[2]};
    }
    const std::int64_t i1 = number / indices->ne[0] % indices->ne[1];
    const std::int64_t i2 = number / indices->ne[0] / indices->ne[1];
    begin += static_cast<std::size_t>(i1) * source->nb[2];
    begin += static_cast<std::size_t>(i2) * source->nb[3];
    begin += index * source->nb[1];
    return {begin, begin + ggml_row_size(source->type, source->ne[0])};
}

}  // namespace

std::optional<Range> unwritten_read(const ggml_tensor* node, const std::vector<Range>& unwritten) {
    const ggml_tensor* indices = indices_of(node);
    for (std::int64_t i = 0; i < ggml_nelements(indices); ++i) {
        if (const auto bytes = common(named(node, indices, i), unwritten)) return bytes;
    }
    return std::nullopt;
}

std::optional<IndexedRead> indexed_read(const ggml_tensor* node, int number, Watch& watch) {
    if (!reads_by_index(node)) return std::nullopt;
    IndexedRead read{number};
    watch.with([&](Checker& checker) {
        for (const Range& range : extents_of(node->src[0])) {
            const std::vector<Range> pieces = checker.never_written(range);
            read.unwritten.insert(read.unwritten.end(), pieces.begin(), pieces.end());
        }
    });
    if (read.unwritten.empty()) return std::nullopt;
    return read;
}

void check_indices(const ggml_tensor* node, const IndexedRead& read, Actor actor, Watch& watch) {
    const std::optional<Range> bytes = unwritten_read(node, read.unwritten);
    if (!bytes) return;
    const std::string where = " on queue " + std::to_string(actor);
    watch.report(
        {FaultKind::NeverWritten, *bytes, operation_name(node) + where, node->src[0]->name, {}});
}

}  // namespace pshard::simgpu
