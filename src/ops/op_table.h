// What the planner knows of each ggml op: one row, which cost, plan, probe and capture read.
//
// A graph names its ops as ggml does (Node::op), and op_rule() finds the row of that name. The row
// says
//
//   what the op does       family; flops; which tensors it reads and writes  -> cost: seconds
//   where it may run       whether a weight decides; rows for op-offload     -> plan: devices
//   where its result lies  whether it may write over an operand              -> plan: scratch
//   how it is measured     which sources make a case; the standard case      -> probe: rows
//
//            Node::op                              OpRow::op of a profile
//   "MUL" ------+-- op_rule() --> {flops 1, ...}      "MUL"        <- most of them
//               +-- profile_row(shapes) ------------> "MUL_COLUMN" <- where its speed is another
//
// Whoever wants to price a new op writes its row. An op without a row is still planned: it runs
// where its weights are, takes no operand's memory, has no flops, and moves each of its tensors
// once.
//
// Traps: a profiler times the ops in the order of their rows, so a time limit cuts off the last
// ones. A unary op or a gate stands under its own name ("SILU", "SWIGLU"), not as UNARY or GLU.
// src/verify/check_scratch.cpp keeps its own list of ops that may write over an operand, on
// purpose: a check that reads this table would believe a wrong row.
//
// Source: ggml of llama.cpp v0.5.0; each column names the function that it follows.
#pragma once

#include <bitset>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "inventory/inventory.h"

namespace pshard {

enum class OpFamily : std::uint8_t {
    View,       // computes nothing
    MatMul,     // a product with one matrix: a weight, or a view of the cache
    MatMulId,   // a product with the matrices of routed experts
    Attention,  // flash attention
    Scan,       // a recurrence: one step for each token
    Other,      // norms, rope, copies, elementwise
};

// What OpRule::flops counts for each element of the result.
enum class FlopUnit : std::uint8_t {
    Element,
    WindowElement,  // counts once for each value of the window, which has source 1's columns
    Comparison,     // counts log2 of source 0's columns times, as a sort does
};

// Which tensors an op of OpFamily::Other reads and writes.
enum class OpTraffic : std::uint8_t {
    Whole,        // it reads all sources and writes the whole result
    RowsRead,     // it reads only as many rows of source 0 as the result has
    RowsWritten,  // it writes only as many rows of the result as source 0 has
    Copy,         // it reads source 0 alone and writes the result; another source is the target
};

// Which extents of the result op-offload counts as rows (ggml-cuda.cu, get_op_batch_size).
enum class OffloadRows : std::uint8_t { AllRows, Second, Third, None };

// How a profiler makes a case of a node that it finds in a model.
enum class CaseForm : std::uint8_t {
    None,          // the op is not timed by itself, or in its own way (products, attention)
    Rows,          // the case has the shape of source 0 as [columns, rows]
    Heads,         // the case has the shape of source 0 as [columns, heads, tokens]
    WrittenRows,   // the same as Rows, but with the type of the result
    ValuesOfScan,  // the case has the shape of source 2, [columns, heads, tokens] of one sequence
};

// The case [columns, heads, tokens] in a profiler's own list.
struct StandardCase {
    std::int64_t columns = 0;  // 0: the list does not have the op
    std::int64_t heads = 1;
    std::string_view type = "f32";  // type of the table that rows are read from, else of the result
};

struct OpRule {
    std::string_view name{};
    OpFamily family = OpFamily::Other;

    // A node with fewer sources counts as an op without a row.
    std::uint8_t n_sources = 0;

    double flops = 0;  // Other: for each FlopUnit. Scan: for each element and each row of state
    FlopUnit flop_unit = FlopUnit::Element;
    OpTraffic traffic = OpTraffic::Whole;
    std::uint8_t scanned_source = 0;     // Scan: the source whose elements are counted
    bool state_in_first_source = false;  // Scan: source 0's columns are the rows of state; else
                                         // those of scanned_source

    // The op may write its result over an operand that nothing reads later (ggml-alloc.c,
    // ggml_op_can_inplace).
    bool in_place = false;
    // The op runs where the first weight lies that it reads (ggml-backend.cpp,
    // *_backend_id_from_cur).
    bool weights_decide = true;
    OffloadRows offload_rows = OffloadRows::AllRows;

    CaseForm form = CaseForm::None;
    StandardCase standard{};
    std::uint8_t n_operands = 1;          // sources of a case that are as large as its result
    std::string_view else_profile_row{};  // row that prices the op if a profile has none of its own
};

// All rows. Profilers time the first ones, in that order.
[[nodiscard]] std::span<const OpRule> op_rules();

// The row of that name; a row without a name if the op has none.
[[nodiscard]] const OpRule& op_rule(std::string_view op);

// A set of ops that have a row, for a quick answer to `contains`.
class OpSet {
public:
    OpSet(std::initializer_list<std::string_view> names);

    [[nodiscard]] bool contains(const OpRule& rule) const;

private:
    std::bitset<128> rows_;
};

// The rows that an op with that result works on at once, as stock llama.cpp counts them. From
// kOffloadMinRows on, stock llama.cpp uploads a weight that lies in host memory.
[[nodiscard]] std::int64_t offload_rows(const OpRule& rule, const Shape& result);
inline constexpr std::int64_t kOffloadMinRows = 32;  // ggml-cuda.cu, op_offload_min_batch_size

// The name that profile rows have for an op on these sources. It is the op's own, except for a MUL
// by one column (the weights of routed experts): ggml's CPU backend multiplies such a column value
// by value, at an eighth of the rate of a MUL by a row.
inline constexpr std::string_view kMulByColumn = "MUL_COLUMN";
[[nodiscard]] std::string_view profile_row(std::string_view op,
                                           const Shape& first,
                                           const Shape& second);

// The family of a profile row. The names of attention rows tell their heads ("FLASH_ATTN_GQA-8").
[[nodiscard]] OpFamily family_of_row(std::string_view row);

}  // namespace pshard
