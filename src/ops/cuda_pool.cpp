// The pool of ggml-cuda, op by op.
//
// In:   an op with the types and shapes of its sources.
// Out:  the bytes of its allocations together, as all of them live until the op is issued.
//
//     kRows: op -> the kernel that ggml-cuda chooses -> its allocations
//
//     MUL_MAT     quantized          the second factor in q8_1 (36 bytes for 32 values), in rows of
//                                    whole 512 values; 128 blocks behind, for tiles that overlap
//                 f16                its second factor and its result in f16 (cuBLAS)
//                 f16, no weight     the same, or the first factor in f32: llama.cpp asks for f32
//                                    where it multiplies K and Q
//                 bf16               its second factor in bf16
//                 few columns        nothing: kernels that read f32
//     MUL_MAT_ID  quantized          ids twice, and the second factor as above, once for each
//                                    expert of a token
//                 f16, bf16, f32     ids twice where a kernel for few columns fits; else rows that
//                                    are sorted by expert, before and behind a product for each
//
// Traps: the graph does not say which precision a product asks for, so the larger figure is taken
// where llama.cpp asks for f32 at times. A product of a few columns takes less than is said here
// where ggml-cuda has a kernel for vectors: such ops never decide how large the pool gets.
#include "ops/cuda_pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace pshard {
namespace {

constexpr Bytes kPoolAlignment = 128;      // ggml-cuda.cu, ggml_cuda_pool_vmm::alloc
constexpr std::int64_t kRowPadding = 512;  // common.cuh, MATRIX_ROW_PADDING
constexpr std::int64_t kTileSide = 128;    // mmq.cuh: most rows and columns of a tile
constexpr Bytes kTileBlock = 144;          // mmq.cuh, sizeof(block_q8_1_mmq)
constexpr Bytes kIdBytes = 4;
constexpr std::int64_t kWarp = 32;
constexpr std::int64_t kRowsOfBlock = 32;  // mmf.cuh, MMF_ROWS_PER_BLOCK
constexpr std::int64_t kFewColumns = 16;   // mmf.cu, ggml_cuda_should_use_mmf
constexpr std::int64_t kFewVectors = 8;    // mmvq.cuh, MMVQ_MAX_BATCH_SIZE
constexpr Bytes kF16Bytes = 2;
constexpr Bytes kF32Bytes = 4;

Bytes elements(const Shape& shape) {
    return static_cast<Bytes>(shape[0] * shape[1] * shape[2] * shape[3]);
}

// Sums allocations.
class Taken {
public:
    Taken& add(Bytes bytes) {
        sum_ += align_up(bytes, kPoolAlignment);
        return *this;
    }

    [[nodiscard]] Bytes sum() const { return sum_; }

private:
    Bytes sum_ = 0;
};

struct Case {
    const PoolOp& op;
    int n_multiprocessors;

    [[nodiscard]] const PoolTensor& source(std::size_t i) const { return op.sources[i]; }
};

Bytes float_bytes(std::string_view type) {
    if (type == "f32") return kF32Bytes;
    return type == "f16" || type == "bf16" ? kF16Bytes : 0;
}

bool is_float(const PoolTensor& tensor) { return float_bytes(tensor.type) > 0; }

// mmq.cu, ggml_cuda_should_use_mmq: of the types that GPUs multiply with, all others.
bool has_tiles(const PoolTensor& matrix) { return !is_float(matrix) && matrix.type != "iq1_m"; }

// `rows` rows of `columns` values in q8_1, as the kernels for tiles want them.
Bytes tiled_rows(std::int64_t rows, std::int64_t columns) {
    const Bytes padded = align_up(static_cast<Bytes>(columns), kRowPadding);
    return static_cast<Bytes>(rows) * padded / 128 * kTileBlock +
           static_cast<Bytes>(kTileSide) * kTileBlock;
}

// The ends of tiles that two blocks of the kernel share (launch_mul_mat_q).
Bytes split_tiles(const Case& c) {
    return static_cast<Bytes>(c.n_multiprocessors) * kTileSide * kTileSide * kF32Bytes;
}

// Whether a kernel reads the f32 second factor of `columns` columns without a copy (mmf.cu).
bool reads_few_columns(const PoolTensor& matrix, std::int64_t columns, std::int64_t most) {
    const auto per_step = static_cast<std::int64_t>(kWarp * kF32Bytes / float_bytes(matrix.type));
    return columns <= most && matrix.shape[0] % per_step == 0 &&
           matrix.shape[1] % kRowsOfBlock == 0;
}

Bytes blas_product(const Case& c) {
    const PoolTensor& a = c.source(0);
    const PoolTensor& b = c.source(1);
    const Bytes matrices = static_cast<Bytes>(b.shape[2] * b.shape[3]);
    Taken halves;
    if (!is_float(a)) halves.add(elements(a.shape) * kF16Bytes);
    if (b.type != a.type) halves.add(elements(b.shape) * kF16Bytes);
    if (a.type != "bf16") halves.add(elements(c.op.result.shape) * kF16Bytes);
    Taken precise;  // GGML_PREC_F32
    precise.add(elements(a.shape) * kF32Bytes);
    const Bytes most =
        a.is_weight || a.type == "f32" ? halves.sum() : std::max(halves.sum(), precise.sum());
    const Bytes pointers = Taken().add(16 * matrices).add(8 * matrices).sum();
    return a.type == "f32" ? pointers : most + pointers;
}

Bytes product(const Case& c) {
    const PoolTensor& a = c.source(0);
    const PoolTensor& b = c.source(1);
    const bool is_vector = !is_float(a) && b.shape[1] <= kFewVectors;
    if (has_tiles(a) || is_vector) {
        const std::int64_t rows = b.shape[1] * b.shape[2] * b.shape[3];
        return Taken().add(tiled_rows(rows, b.shape[0])).add(split_tiles(c)).sum();
    }
    const bool few =
        is_float(a) && b.type == "f32" && reads_few_columns(a, b.shape[1], kFewColumns);
    return few ? 0 : blas_product(c);
}

// A product for each expert on rows that were sorted (ggml_cuda_mul_mat_id): a token takes an
// expert at most once.
Bytes sorted_product(const Case& c, std::int64_t rows) {
    const PoolTensor& a = c.source(0);
    const std::int64_t columns = c.source(1).shape[0];
    const std::int64_t n_tokens = c.source(1).shape[2];
    const std::string_view sorted = is_float(a) ? a.type : "f32";
    const PoolOp one{
        "MUL_MAT",
        {"f32", {a.shape[1], n_tokens, 1, 1}},
        {{a.type, {a.shape[0], a.shape[1], 1, 1}, true}, {sorted, {columns, n_tokens, 1, 1}}}};
    return Taken()
               .add(2 * kIdBytes * static_cast<Bytes>(rows))
               .add(static_cast<Bytes>(rows * columns) * float_bytes(sorted))
               .add(static_cast<Bytes>(rows * a.shape[1]) * kF32Bytes)
               .sum() +
           blas_product({one, c.n_multiprocessors});
}

Bytes routed_product(const Case& c) {
    const PoolTensor& a = c.source(0);
    const std::int64_t n_tokens = c.source(1).shape[2];
    const std::int64_t rows = n_tokens * c.source(2).shape[0];
    Taken taken;
    taken.add(kIdBytes * static_cast<Bytes>(rows));
    taken.add(kIdBytes * static_cast<Bytes>(rows));
    taken.add(kIdBytes * static_cast<Bytes>(a.shape[2] + 1));
    if (has_tiles(a) || (!is_float(a) && n_tokens <= kFewVectors)) {
        return taken.add(tiled_rows(rows, c.source(1).shape[0])).add(split_tiles(c)).sum();
    }
    const std::int64_t most = a.shape[1] <= 1024 ? 512 : 128;
    if (is_float(a) && reads_few_columns(a, n_tokens, most)) return taken.sum();
    return sorted_product(c, rows);
}

// Results of blocks that share a query (launch_fattn), by what a card's multiprocessors hold.
Bytes attention(const Case& c) {
    constexpr Bytes kBlocks = 2;  // on a multiprocessor, of the largest tile
    constexpr Bytes kQueries = 64;
    const Bytes values = static_cast<Bytes>(c.op.result.shape[0]);
    const Bytes blocks = static_cast<Bytes>(c.n_multiprocessors) * kBlocks;
    return Taken().add(blocks * kQueries * (2 + values / 2) * 8).sum();
}

// Rows that are too long for one block are sorted by CUB, 64 MiB at a time; it alternates between
// two arrays of keys and two of places.
Bytes sort(const Case& c) {
    constexpr std::int64_t kLongest = 1024;
    constexpr std::int64_t kChunk = 64 * static_cast<std::int64_t>(kMiB);
    const Shape& shape = c.source(0).shape;
    const std::int64_t chunk =
        std::max<std::int64_t>(kChunk / (shape[0] * static_cast<std::int64_t>(kF32Bytes)), 1);
    const std::int64_t rows = std::min(shape[1] * shape[2] * shape[3], chunk);
    const Bytes array = static_cast<Bytes>(shape[0] * rows) * kF32Bytes;
    const Bytes kept = c.op.op == "TOP_K" ? array : 0;
    return shape[0] <= kLongest ? kept : kept + 5 * array + kMiB;
}

// ssm-scan.cu, ssm_scan_ssd_f32_cuda: Mamba 2 by products of 256 tokens each.
Bytes scan(const Case& c) {
    constexpr std::int64_t kLeast = 128;  // tokens
    constexpr Bytes kChunk = 256;
    const Shape& state = c.source(0).shape;  // [d_state, head_dim, heads, sequences]
    const Shape& x = c.source(1).shape;      // [head_dim, heads, tokens, sequences]
    const bool is_mamba2 = c.source(3).shape[0] == 1;
    if (!is_mamba2 || x[2] <= kLeast) return 0;
    const auto heads = static_cast<Bytes>(x[1] * x[3]);
    const auto groups = static_cast<Bytes>(c.source(4).shape[1] * x[3]);
    const auto d_state = static_cast<Bytes>(state[0]);
    return Taken()
        .add(static_cast<Bytes>(x[2]) * heads * kF32Bytes)
        .add(static_cast<Bytes>(x[2]) * heads * kF32Bytes)
        .add(kChunk * kChunk * groups * kF32Bytes)
        .add(kChunk * static_cast<Bytes>(x[0]) * heads * kF16Bytes)
        .add(d_state * kChunk * heads * kF16Bytes)
        .add(d_state * kChunk * heads * kF32Bytes)
        .add(kChunk * kChunk * heads * kF16Bytes)
        .sum();
}

struct Row {
    std::string_view op;
    std::size_t n_sources;
    Bytes (*bytes)(const Case&);
};

constexpr std::array kRows = {Row{"MUL_MAT", 2, product},
                              Row{"MUL_MAT_ID", 3, routed_product},
                              Row{"FLASH_ATTN_EXT", 3, attention},
                              Row{"ARGSORT", 1, sort},
                              Row{"TOP_K", 1, sort},
                              Row{"SSM_SCAN", 5, scan}};

const Row* row_of(std::string_view op) {
    const auto* row = std::ranges::find(kRows, op, &Row::op);
    return row == kRows.end() ? nullptr : row;
}

PoolTensor tensor_of(const Inventory& inventory, const Graph& graph, const Ref& ref) {
    const auto at = static_cast<std::size_t>(ref.index);
    switch (ref.kind) {
        case Ref::Kind::Weight:
            return {inventory.weights[at].type, inventory.weights[at].shape, true};
        case Ref::Kind::State:
            return {inventory.states[at].type, inventory.states[at].shape};
        case Ref::Kind::Input:
            return {graph.inputs[at].type, graph.inputs[at].shape};
        case Ref::Kind::Node:
            break;
    }
    return {graph.nodes[at].type, graph.nodes[at].shape};
}

// Whether llama.cpp asks for f32 sums in products with weights, too (llama-graph.cpp, build_ffn).
bool is_summed_in_f32(const std::string& architecture) {
    return architecture == "glm4" || architecture == "glm4moe" || architecture == "jais2";
}

// A view of a weight is one.
bool is_of_weight(const Graph& graph, const Ref& ref) {
    if (ref.kind != Ref::Kind::Node) return ref.kind == Ref::Kind::Weight;
    const Node& node = graph.nodes[static_cast<std::size_t>(ref.index)];
    return node.has_storage && node.storage.kind == Ref::Kind::Weight;
}

Bytes bytes_of(const Inventory& inventory, const Graph& graph, const Node& node) {
    PoolOp op{node.op, {node.type, node.shape}, {}};
    for (const Ref& source : node.sources) {
        op.sources.push_back(tensor_of(inventory, graph, source));
        op.sources.back().is_weight =
            is_of_weight(graph, source) && !is_summed_in_f32(inventory.architecture);
    }
    return cuda_pool_bytes(op, 0);
}

// What the f16 product of probe/sample_run.h takes, which a profile's driver memory has in it: for
// larger ubatches, that of the largest sample.
Bytes sampled(std::uint32_t n_ubatch) {
    constexpr Bytes kColumns = 4096;
    constexpr Bytes kRowsOfResult = 14336;
    return std::min(n_ubatch, kLargestSample) * (kColumns + kRowsOfResult) * kF16Bytes;
}

}  // namespace

bool is_cuda(const DeviceModel& device) {
    return device.name == "cuda" || device.name.starts_with("CUDA");
}

Bytes cuda_pool_bytes(const PoolOp& op, int n_multiprocessors) {
    const Row* row = row_of(op.op);
    if (row == nullptr || op.sources.size() < row->n_sources) return 0;
    return row->bytes({op, n_multiprocessors});
}

PoolDemand pool_demand(const Inventory& inventory) {
    PoolDemand most;
    if (!is_cuda(inventory.device)) return most;
    for (const Graph& graph : inventory.graphs) {
        for (const Node& node : graph.nodes) {
            if (!node.device_supports || row_of(node.op) == nullptr) continue;
            const Bytes bytes = bytes_of(inventory, graph, node);
            if (bytes > most.bytes) most = {bytes, node.name, graph.n_tokens};
        }
    }
    const Bytes known = sampled(inventory.context.n_ubatch);
    if (most.bytes <= known + kPoolGranule) return {};  // pools are rounded up
    most.bytes = align_up(most.bytes - known, kPoolGranule);
    return most;
}

std::string text_of(const PoolDemand& demand) {
    return fmt::format(
        "{:.0f} MiB of the budget to CUDA's own pool, which grows that far when {} of a batch of "
        "{} tokens is computed; -fa on or a smaller -ub may need less",
        in_mib(demand.bytes),
        demand.node,
        demand.n_tokens);
}

}  // namespace pshard
