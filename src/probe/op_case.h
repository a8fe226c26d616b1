// One op to be timed, on given shapes. A plain value, from which its flops and bytes follow, and
// the row of the profile that it becomes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "inventory/inventory.h"
#include "machine/machine_profile.h"
#include "ops/op_sums.h"

namespace pshard {

// Which experts the tokens of a MUL_MAT_ID choose.
enum class Routing : std::uint8_t {
    RoundRobin,  // each route takes the next expert, which touches the most: as published
    Skewed,      // tokens like some experts more: expert i of E has a weight of 1/(i + E/8)
};

// Fields that an op does not have keep their default.
struct OpCase {
    // The op's name in ggml and Node::op ("MUL_MAT", "FLASH_ATTN_EXT", "SWIGLU"), or its name in
    // profiles (ops/op_table.h: "MUL_COLUMN").
    std::string op{};
    std::string type{};         // ggml type of the weight, or of K and V; else of the result
    std::int64_t n_tokens = 1;  // rows of the batch

    // MUL_MAT, MUL_MAT_ID: the weight, or each expert of it, is [k, n].
    std::int64_t n = 0;
    std::int64_t k = 0;
    std::int64_t n_experts = 0;
    std::int64_t n_used = 0;
    Routing routing = Routing::RoundRobin;

    // FLASH_ATTN_EXT: each token sees all cells.
    std::int64_t n_cells = 0;
    std::int64_t n_heads = 0;  // heads of the query
    std::int64_t n_heads_kv = 0;
    std::int64_t head_dim = 0;
    std::int64_t head_dim_v = 0;  // 0: head_dim

    // All other ops: the shape of source 0, with the tokens in its last dimension. SET_ROWS and
    // GET_ROWS: the rows that are moved. GATED_DELTA_NET: the values [head_dim, heads, tokens].
    // SSM_CONV and CONCAT: [columns, tokens]; three tokens of the past come before them.
    Shape shape{1, 1, 1, 1};

    bool operator==(const OpCase&) const = default;
};

[[nodiscard]] bool is_matmul(std::string_view op);  // MUL_MAT or MUL_MAT_ID

// The number of experts that the routes of the case touch.
[[nodiscard]] std::int64_t touched_experts(const OpCase& op_case);

// The expert of each route, token by token: n_tokens * n_used of them, and those of one token all
// different. Another `seed` gives other experts, so that not every node reads the same ones.
[[nodiscard]] std::vector<std::int32_t> routes(const OpCase& op_case, std::uint32_t seed);

// The multiplications and additions of a matmul, attention or recurrence (any other op counts one
// for each element: only its bytes matter), and the bytes that are read and written, each once.
// Only the touched experts count.
[[nodiscard]] FlopsAndBytes sums_of(const OpCase& op_case);

// The bytes of the operand that must come from memory each time: the weight, or the K and V of a
// layer. 0: all operands are activations, which the op before has just written.
[[nodiscard]] Bytes cold_bytes(const OpCase& op_case);

// The cold bytes that one computation reads: only the touched experts count.
[[nodiscard]] Bytes cold_bytes_read(const OpCase& op_case);

// The row of a profile for a case that took `seconds`. finish_ridges sets its `ridge`.
[[nodiscard]] OpRow row_of(const OpCase& op_case, Seconds seconds);

// The best GB/s of a matmul of one token. It reads weights that no cache holds, so memory gives at
// least that rate. 0 if there is no such row. Only large weights count, since most of the time of a
// small one may be the launch that was taken off.
[[nodiscard]] double streamed_gb_per_s(const std::vector<OpRow>& rows);

// Sets the ridge of each row: the peak GFLOP/s of its op and quant over the memory bandwidth
// (column 7 of [S2]).
void finish_ridges(std::vector<OpRow>& rows, double gb_per_s);

// The case in words, for progress lines: "MUL_MAT q4_0 4096x4096, 512 tokens".
[[nodiscard]] std::string describe(const OpCase& c);

}  // namespace pshard
