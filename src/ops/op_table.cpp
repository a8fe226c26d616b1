#include "ops/op_table.h"

#include <array>

#include "base/result.h"

namespace pshard {

namespace {

using enum OpFamily;
using enum CaseForm;

// The source of the flops is [S4]. The ops that it leaves out (exponentials, norms in two passes)
// were counted by hand; on every machine that we know they wait for memory or for their launch.
constexpr auto kRules = std::to_array<OpRule>({
    {.name = "MUL_MAT", .family = MatMul, .n_sources = 2, .offload_rows = OffloadRows::Second},
    {.name = "MUL_MAT_ID", .family = MatMulId, .n_sources = 3, .offload_rows = OffloadRows::Third},
    {.name = "FLASH_ATTN_EXT", .family = Attention, .n_sources = 3, .weights_decide = false},
    {.name = "RMS_NORM", .flops = 3, .in_place = true, .form = Rows, .standard = {4096}},
    {.name = "MUL", .flops = 1, .in_place = true, .form = Rows, .standard = {4096}},
    {.name = "ADD",
     .flops = 1,
     .in_place = true,
     .form = Rows,
     .standard = {4096},
     .n_operands = 2},
    {.name = kMulByColumn, .flops = 1, .standard = {2048, 8}, .else_profile_row = "MUL"},
    {.name = "SWIGLU", .flops = 2, .form = Rows, .standard = {8192}, .n_operands = 2},
    {.name = "ROPE",
     .flops = 6,
     .in_place = true,
     .weights_decide = false,
     .offload_rows = OffloadRows::Third,
     .form = Heads,
     .standard = {128, 32}},
    {.name = "SET_ROWS",
     .n_sources = 2,
     .traffic = OpTraffic::RowsWritten,
     .form = WrittenRows,
     .standard = {1024, 1, "f16"}},
    {.name = "GET_ROWS",
     .n_sources = 2,
     .traffic = OpTraffic::RowsRead,
     .offload_rows = OffloadRows::None,
     .standard = {4096, 1, "q4_K"}},
    {.name = "SOFT_MAX", .flops = 5, .in_place = true, .form = Rows, .standard = {128}},
    {.name = "ARGSORT",
     .n_sources = 1,
     .flops = 1,
     .flop_unit = FlopUnit::Comparison,
     .form = Rows,
     .standard = {128, 1, "i32"}},
    {.name = "GATED_DELTA_NET",
     .family = Scan,
     .n_sources = 3,
     .flops = 8,
     .scanned_source = 2,
     .form = ValuesOfScan,
     .standard = {128, 32}},
    {.name = "SSM_CONV",
     .n_sources = 2,
     .flops = 2,
     .flop_unit = FlopUnit::WindowElement,
     .standard = {4096}},
    {.name = "CONCAT", .standard = {4096}},
    {.name = "SUM_ROWS", .flops = 1, .form = Rows, .standard = {8}},
    {.name = "CONT", .n_sources = 1, .traffic = OpTraffic::Copy, .standard = {128, 32}},
    {.name = "SILU", .flops = 4, .in_place = true, .form = Rows, .standard = {4096}},
    {.name = "SIGMOID", .flops = 4, .in_place = true, .form = Rows, .standard = {4096}},
    {.name = "SCALE", .flops = 1, .in_place = true, .form = Rows, .standard = {4096}},
    {.name = "L2_NORM", .flops = 3, .form = Rows, .standard = {4096}},
    {.name = "GELU", .flops = 8, .in_place = true, .form = Rows, .standard = {4096}},
    {.name = "GEGLU", .flops = 2, .form = Rows, .standard = {8192}, .n_operands = 2},

    // Ops that are not in a profiler's own list.
    {.name = "NORM", .flops = 5, .form = Rows},
    {.name = "SOFTPLUS", .flops = 4, .in_place = true, .form = Rows},
    {.name = "GROUP_NORM", .flops = 5},
    {.name = "ADD_ID", .flops = 1, .in_place = true},
    {.name = "ADD1", .in_place = true},
    {.name = "SUB", .flops = 1, .in_place = true},
    {.name = "DIV", .flops = 1, .in_place = true},
    {.name = "SQR", .flops = 1, .in_place = true},
    {.name = "SQRT", .flops = 1, .in_place = true},
    {.name = "LOG", .in_place = true},
    {.name = "CLAMP", .flops = 2, .in_place = true},
    {.name = "FILL", .in_place = true},
    {.name = "DIAG_MASK_ZERO", .in_place = true},
    {.name = "DIAG_MASK_INF", .in_place = true},
    {.name = "CUMSUM", .flops = 1},
    {.name = "TOP_K", .n_sources = 1, .flops = 1, .flop_unit = FlopUnit::Comparison},
    {.name = "REPEAT"},
    {.name = "SIN"},
    {.name = "CPY", .n_sources = 1, .traffic = OpTraffic::Copy},
    {.name = "DUP", .n_sources = 1, .traffic = OpTraffic::Copy},

    // Gates.
    {.name = "REGLU", .flops = 2},
    {.name = "SWIGLU_OAI", .flops = 2},
    {.name = "SWIGLU_CLAMP", .flops = 2},
    {.name = "GEGLU_ERF", .flops = 2},
    {.name = "GEGLU_QUICK", .flops = 2},

    // Unary ops.
    {.name = "ABS", .in_place = true},
    {.name = "SGN", .in_place = true},
    {.name = "NEG", .in_place = true},
    {.name = "STEP", .in_place = true},
    {.name = "TANH", .flops = 4, .in_place = true},
    {.name = "ELU", .in_place = true},
    {.name = "RELU", .flops = 1, .in_place = true},
    {.name = "GELU_QUICK", .in_place = true},
    {.name = "GELU_ERF", .in_place = true},
    {.name = "HARDSWISH", .in_place = true},
    {.name = "HARDSIGMOID", .in_place = true},
    {.name = "EXP", .flops = 2, .in_place = true},
    {.name = "EXPM1", .in_place = true},
    {.name = "XIELU", .in_place = true},
    {.name = "FLOOR", .in_place = true},
    {.name = "CEIL", .in_place = true},

    // Recurrences, and what computes nothing.
    {.name = "SSM_SCAN",
     .family = Scan,
     .n_sources = 2,
     .flops = 6,
     .scanned_source = 1,
     .state_in_first_source = true},
    {.name = "GATED_LINEAR_ATTN", .family = Scan, .n_sources = 2, .flops = 6, .scanned_source = 1},
    {.name = "RWKV_WKV6", .family = Scan, .n_sources = 2, .flops = 6, .scanned_source = 1},
    {.name = "RWKV_WKV7", .family = Scan, .n_sources = 2, .flops = 8, .scanned_source = 1},
    {.name = "NONE", .family = View},
    {.name = "RESHAPE", .family = View},
    {.name = "VIEW", .family = View},
    {.name = "PERMUTE", .family = View},
    {.name = "TRANSPOSE", .family = View},
    {},  // any other op
});

constexpr std::size_t kNamed = kRules.size() - 1;

// A hash table finds the row of a name. The hash is made of the name's length and three letters;
// a slot that is taken leads to the next one.
constexpr std::size_t kSlots = 256;
static_assert(kNamed < kSlots / 2);

constexpr std::size_t slot_of(std::string_view name) {
    if (name.empty()) return 0;
    const auto letter = [&](std::size_t i) -> std::size_t {
        return static_cast<unsigned char>(name[i]);
    };
    return (name.size() * 37 + letter(0) * 5 + letter(name.size() / 2) * 11 +
            letter(name.size() - 1) * 3) %
           kSlots;
}

constexpr std::array<std::uint8_t, kSlots> make_slots() {
    std::array<std::uint8_t, kSlots> slots{};  // index of a row + 1; 0: free
    for (std::size_t i = 0; i < kNamed; i++) {
        std::size_t slot = slot_of(kRules[i].name);
        while (slots[slot] != 0) slot = (slot + 1) % kSlots;
        slots[slot] = static_cast<std::uint8_t>(i + 1);
    }
    return slots;
}

constexpr std::array<std::uint8_t, kSlots> kIndexes = make_slots();

std::size_t row_of(const OpRule& rule) { return static_cast<std::size_t>(&rule - kRules.data()); }

}  // namespace

std::span<const OpRule> op_rules() { return std::span(kRules).first(kNamed); }

const OpRule& op_rule(std::string_view op) {
    for (std::size_t slot = slot_of(op); kIndexes[slot] != 0; slot = (slot + 1) % kSlots) {
        const OpRule& rule = kRules[kIndexes[slot] - 1U];
        if (rule.name == op) return rule;
    }
    return kRules[kNamed];
}

OpSet::OpSet(std::initializer_list<std::string_view> names) {
    for (const std::string_view name : names) {
        const OpRule& rule = op_rule(name);
        PSHARD_CHECK(!rule.name.empty());
        rows_.set(row_of(rule));
    }
}

bool OpSet::contains(const OpRule& rule) const { return rows_[row_of(rule)]; }

std::int64_t offload_rows(const OpRule& rule, const Shape& result) {
    switch (rule.offload_rows) {
        case OffloadRows::None:
            return 0;
        case OffloadRows::Second:
            return result[1];
        case OffloadRows::Third:
            return result[2];
        case OffloadRows::AllRows:
            break;
    }
    return result[1] * result[2] * result[3];
}

std::string_view profile_row(std::string_view op, const Shape& first, const Shape& second) {
    return op == "MUL" && first[0] > 1 && second[0] == 1 ? kMulByColumn : op;
}

OpFamily family_of_row(std::string_view row) {
    return row.starts_with("FLASH_ATTN") ? OpFamily::Attention : op_rule(row).family;
}

}  // namespace pshard
