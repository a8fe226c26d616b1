// What the planner knows of each ggml op: one row for each, which cost, plan, probe and capture
// read.
//
// A graph names its ops as ggml does (Node::op), and asks op_rule() for the row of that name. The
// row says
//
//   what an op does     family; flops; which tensors it reads and writes  -> cost: seconds
//   where it may run    whether a weight decides; rows for op-offload     -> plan: devices
//   where results lie   whether it may write over an operand              -> plan: scratch
//   how it is measured  which sources make a case; the standard case      -> probe: profile rows
//
//            Node::op                              OpRow::op of a profile
//   "MUL" ------+-- op_rule() --> {flops 1, ...}      "MUL"        <- most of them
//               +-- profile_row(shapes) ------------> "MUL_COLUMN" <- where its speed is another
//
// To price a new op is to write its row. An op without a row is still planned: it runs where its
// weights are, takes no operand's memory, computes for nothing and moves all its tensors once.
//
// Traps: the row order is the order in which a profiler times the ops (a time limit cuts off the
// last). A unary op or a gate stands under its own name ("SILU", "SWIGLU"), not as UNARY or GLU.
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
    WindowElement,  // each value of the window, source 1's columns, too
    Comparison,     // times log2 of source 0's columns: a sort
};

// Which tensors an op of OpFamily::Other reads and writes.
enum class OpTraffic : std::uint8_t {
    Whole,        // all sources, and the result
    RowsRead,     // of source 0 only as many rows as the result has
    RowsWritten,  // of the result only as many rows as source 0 has
    Copy,         // source 0 and the result: a further source says where to
};

// Which extents of the result are the rows that op-offload counts (ggml-cuda.cu,
// get_op_batch_size).
enum class OffloadRows : std::uint8_t { AllRows, Second, Third, None };

// How a profiler makes a case of a node that it finds in a model.
enum class CaseForm : std::uint8_t {
    None,          // not timed by itself, or in a way of its own (products, attention)
    Rows,          // source 0 as [columns, rows]
    Heads,         // source 0 as [columns, heads, tokens]
    WrittenRows,   // source 0 as [columns, rows]; the type is the result's
    ValuesOfScan,  // source 2, [columns, heads, tokens] of one sequence
};

// The case of a profiler's own list: f32 unless `type` says otherwise, [columns, heads, tokens].
struct StandardCase {
    std::int64_t columns = 0;  // 0: the list does not have the op
    std::int64_t heads = 1;
    std::string_view type = "f32";  // of the table that rows are read from, else of the result
};

struct OpRule {
    std::string_view name{};
    OpFamily family = OpFamily::Other;

    // With fewer sources a node of that name is an op without a row.
    std::uint8_t n_sources = 0;

    double flops = 0;  // Other: of each FlopUnit; Scan: of each element and row of state
    FlopUnit flop_unit = FlopUnit::Element;
    OpTraffic traffic = OpTraffic::Whole;
    std::uint8_t scanned_source = 0;     // Scan: whose elements are counted, once for each token
    bool state_in_first_source = false;  // Scan: rows of state are source 0's columns, not its own

    // May write its result over an operand that dies with it (ggml-alloc.c, ggml_op_can_inplace).
    bool in_place = false;
    // Runs where the first weight is that it reads (ggml-backend.cpp, *_backend_id_from_cur).
    bool weights_decide = true;
    OffloadRows offload_rows = OffloadRows::AllRows;

    CaseForm form = CaseForm::None;
    StandardCase standard{};
    std::uint8_t n_operands = 1;          // of a case: sources as large as the result
    std::string_view else_profile_row{};  // prices the op in a profile without rows of its name
};

// All rows. The first ones are those that profilers time, in that order.
[[nodiscard]] std::span<const OpRule> op_rules();

// The row of that name; of an op that is not listed, a row without a name.
[[nodiscard]] const OpRule& op_rule(std::string_view op);

// Some ops that have a row, to be asked often.
class OpSet {
public:
    OpSet(std::initializer_list<std::string_view> names);

    [[nodiscard]] bool contains(const OpRule& rule) const;

private:
    std::bitset<128> rows_;
};

// Rows that an op with that result works on at once, as stock llama.cpp counts them: from
// kOffloadMinRows on it uploads a weight that lies in host memory.
[[nodiscard]] std::int64_t offload_rows(const OpRule& rule, const Shape& result);
inline constexpr std::int64_t kOffloadMinRows = 32;  // ggml-cuda.cu, op_offload_min_batch_size

// The name that profile rows have for an op on these sources: the op's own, but for a MUL by one
// column (the weights of routed experts): ggml's CPU backend then multiplies value by value, at an
// eighth of the rate of a MUL by a row.
inline constexpr std::string_view kMulByColumn = "MUL_COLUMN";
[[nodiscard]] std::string_view profile_row(std::string_view op,
                                           const Shape& first,
                                           const Shape& second);

// The family of a profile row: attention rows are named for their heads ("FLASH_ATTN_GQA-8").
[[nodiscard]] OpFamily family_of_row(std::string_view row);

}  // namespace pshard
