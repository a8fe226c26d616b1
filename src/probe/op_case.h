// One op to time: which, and on what shapes. A plain value; what it costs in flops and bytes
// follows from it, and so does the row of the profile that it becomes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "inventory/inventory.h"
#include "machine/machine_profile.h"

namespace pshard {

// Which experts the tokens of a MUL_MAT_ID choose.
enum class Routing : std::uint8_t {
    RoundRobin,  // each route the next expert: touches the most, as the published profilers do
    Skewed,      // a few experts are liked: expert i of E with a weight of 1/(i + E/8)
};

// Fields that an op does not have stay as they are.
struct OpCase {
    // The op's name, as in ggml and in Node::op: "MUL_MAT", "FLASH_ATTN_EXT", "SWIGLU"; or as
    // profiles have it (ops/op_table.h): "MUL_COLUMN".
    std::string op{};
    std::string type{};         // ggml type: of the weight, of K and V, else of the result
    std::int64_t n_tokens = 1;  // rows of the batch

    // MUL_MAT, MUL_MAT_ID: the weight is [k, n], for each expert
    std::int64_t n = 0;
    std::int64_t k = 0;
    std::int64_t n_experts = 0;
    std::int64_t n_used = 0;
    Routing routing = Routing::RoundRobin;

    // FLASH_ATTN_EXT: each token sees all cells
    std::int64_t n_cells = 0;
    std::int64_t n_heads = 0;  // heads of the query
    std::int64_t n_heads_kv = 0;
    std::int64_t head_dim = 0;
    std::int64_t head_dim_v = 0;  // 0: head_dim

    // All other ops: source 0, with the tokens in its last dimension. SET_ROWS and GET_ROWS: the
    // rows that are moved. GATED_DELTA_NET: the values [head_dim, heads, tokens]. SSM_CONV, CONCAT:
    // [columns, tokens], with three tokens of the past before them.
    Shape shape{1, 1, 1, 1};

    bool operator==(const OpCase&) const = default;
};

[[nodiscard]] bool is_matmul(std::string_view op);  // MUL_MAT or MUL_MAT_ID

// Experts that the routes of the case touch.
[[nodiscard]] std::int64_t touched_experts(const OpCase& op_case);

// The expert of each route, token by token: n_tokens * n_used, those of a token all different.
// `seed` moves the choice, so that rotating operands do not read the same experts.
[[nodiscard]] std::vector<std::int32_t> routes(const OpCase& op_case, std::uint32_t seed);

// Multiplications and additions; of ops that are no matmul, attention or recurrence, one for each
// element: their rate is the one of their bytes.
[[nodiscard]] double case_flops(const OpCase& op_case);

// Read and written, each once; of experts, those touched.
[[nodiscard]] double case_bytes(const OpCase& op_case);

// Bytes of the operand that must come from memory each time: the weight, the K and V of a layer.
// 0: all operands are activations, which the op before has just written.
[[nodiscard]] Bytes cold_bytes(const OpCase& op_case);

// What one computation reads of it: of experts, those touched.
[[nodiscard]] Bytes cold_bytes_read(const OpCase& op_case);

// The row of a profile for a case that took `seconds`; `ridge` is left to finish_ridges.
[[nodiscard]] OpRow row_of(const OpCase& op_case, Seconds seconds);

// The best rate of a matmul of one token: as it reads weights that lie in no cache, memory gives at
// least that. 0 without such a row. Only the larger weights tell: the launch that is taken off the
// time of a small one may be most of it.
[[nodiscard]] double streamed_gb_per_s(const std::vector<OpRow>& rows);

// Peak GFLOP/s of each (op, quant) over the memory bandwidth (column 7 of [S2]).
void finish_ridges(std::vector<OpRow>& rows, double gb_per_s);

// "MUL_MAT q4_0 4096x4096, 512 tokens": for progress lines.
[[nodiscard]] std::string describe(const OpCase& op_case);

}  // namespace pshard
