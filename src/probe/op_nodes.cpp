// How one computation of a case becomes ggml nodes.
//
// In:   a case, and an OperandSource that gives the tensors that nodes read.
// Out:  the node that computes the case, with views before it where the op needs them.
//
//     op's name -> builders(): a function for each op that needs its own operands
//                  else        a unary op or a gate, by its name in ggml
//
//     attention:   Q [d, tokens, heads]  <- permute <- activation [d, heads, tokens]
//                  K, V [d, cells, heads] <- permute <- reshape <- cold cache [d * heads, cells]
//
// Operands lie as llama.cpp's graphs have them: attention reads views of a cache, and a
// convolution's columns lie token after token. What a kernel does with a stride is then timed too.
//
// Trap: only operands of the kind Weight come from the pool and are cold. They are weights, caches,
// the table of GET_ROWS, and the target of CPY.
#include "probe/op_nodes.h"

#include <cmath>
#include <map>

#include "ops/op_table.h"

namespace pshard {

namespace {

// What the functions below share, each of which makes the node of one op.
struct Maker {
    ggml_context* context;
    const OpCase& c;
    ggml_type type;
    OperandSource& source;

    [[nodiscard]] ggml_tensor* get(OperandKind kind, ggml_type of, const Shape& shape) const {
        return source.operand(kind, of, shape);
    }

    [[nodiscard]] ggml_tensor* activation(const Shape& shape) const {
        return get(OperandKind::Activation, GGML_TYPE_F32, shape);
    }

    [[nodiscard]] ggml_tensor* input() const { return activation(c.shape); }

    // One value for each column, as a norm's weights have.
    [[nodiscard]] ggml_tensor* column_weights() const { return activation({c.shape[0], 1, 1, 1}); }
};

ggml_tensor* mul_mat(const Maker& m) {
    ggml_tensor* weight = m.get(OperandKind::Weight, m.type, {m.c.k, m.c.n, 1, 1});
    return ggml_mul_mat(m.context, weight, m.activation({m.c.k, m.c.n_tokens, 1, 1}));
}

// The weights of up and gate read one row for each token, those of down one for each route. Both
// cost the same flops. This node is the first kind, of which llama.cpp's graphs have twice as many.
ggml_tensor* mul_mat_id(const Maker& m) {
    ggml_tensor* weights = m.get(OperandKind::Weight, m.type, {m.c.k, m.c.n, m.c.n_experts, 1});
    ggml_tensor* rows = m.activation({m.c.k, 1, m.c.n_tokens, 1});
    ggml_tensor* ids = m.get(OperandKind::Routes, GGML_TYPE_I32, {m.c.n_used, m.c.n_tokens, 1, 1});
    return ggml_mul_mat_id(m.context, weights, rows, ids);
}

// K or V as a view of a cache: [head_dim, cells, heads], with the heads of a cell side by side.
ggml_tensor* cache_view(const Maker& m, std::int64_t head_dim) {
    ggml_tensor* cache =
        m.get(OperandKind::Weight, m.type, {head_dim * m.c.n_heads_kv, m.c.n_cells, 1, 1});
    ggml_tensor* heads = ggml_reshape_3d(m.context, cache, head_dim, m.c.n_heads_kv, m.c.n_cells);
    return ggml_permute(m.context, heads, 0, 2, 1, 3);
}

ggml_tensor* flash_attention(const Maker& m) {
    const std::int64_t dim_v = m.c.head_dim_v > 0 ? m.c.head_dim_v : m.c.head_dim;
    ggml_tensor* query = ggml_permute(
        m.context, m.activation({m.c.head_dim, m.c.n_heads, m.c.n_tokens, 1}), 0, 2, 1, 3);
    ggml_tensor* mask = m.get(OperandKind::Zeros, GGML_TYPE_F16, {m.c.n_cells, m.c.n_tokens, 1, 1});
    const float scale = 1.0F / std::sqrt(float(m.c.head_dim));
    return ggml_flash_attn_ext(m.context,
                               query,
                               cache_view(m, m.c.head_dim),
                               cache_view(m, dim_v),
                               mask,
                               scale,
                               0.0F,
                               0.0F);
}

ggml_tensor* mul_by_column(const Maker& m) {
    return ggml_mul(m.context, m.input(), m.activation({1, m.c.shape[1], m.c.shape[2], 1}));
}

ggml_tensor* rope(const Maker& m) {
    ggml_tensor* positions = m.get(OperandKind::Positions, GGML_TYPE_I32, {m.c.shape[2], 1, 1, 1});
    return ggml_rope_ext(m.context,
                         m.input(),
                         positions,
                         nullptr,
                         int(m.c.shape[0]),
                         GGML_ROPE_TYPE_NEOX,
                         4096,
                         10000.0F,
                         1.0F,
                         0.0F,
                         1.0F,
                         32.0F,
                         1.0F);
}

ggml_tensor* get_rows(const Maker& m) {
    ggml_tensor* table = m.get(OperandKind::Weight, m.type, {m.c.shape[0], 4096, 1, 1});
    ggml_tensor* rows = m.get(OperandKind::Positions, GGML_TYPE_I32, {m.c.shape[1], 1, 1, 1});
    return ggml_get_rows(m.context, table, rows);
}

ggml_tensor* set_rows(const Maker& m) {
    ggml_tensor* cache = m.get(OperandKind::Weight, m.type, {m.c.shape[0], 4096, 1, 1});
    ggml_tensor* rows = m.get(OperandKind::Positions, GGML_TYPE_I64, {m.c.shape[1], 1, 1, 1});
    return ggml_set_rows(m.context, cache, m.input(), rows);
}

ggml_tensor* copy(const Maker& m) {
    ggml_tensor* target = m.get(OperandKind::Weight, m.type, m.c.shape);
    return ggml_cpy(m.context, m.input(), target);
}

ggml_tensor* contiguous(const Maker& m) {
    return ggml_cont(m.context, ggml_permute(m.context, m.input(), 0, 2, 1, 3));
}

// The operands are q, k, v [head_dim, heads, tokens], a gate and a beta for each head and token,
// and a state for each head.
ggml_tensor* delta_net(const Maker& m) {
    const auto [dim, heads, tokens, unused] = m.c.shape;
    ggml_tensor* gate = m.activation({1, heads, tokens, 1});
    return ggml_gated_delta_net(m.context,
                                m.input(),
                                m.input(),
                                m.input(),
                                gate,
                                gate,
                                m.activation({dim, dim, heads, 1}),
                                1);
}

// A causal convolution over 4 tokens; the tokens of a column lie one after the other.
ggml_tensor* ssm_conv(const Maker& m) {
    ggml_tensor* columns = m.activation({m.c.shape[1] + 3, m.c.shape[0], 1, 1});
    return ggml_ssm_conv(m.context, columns, m.activation({4, m.c.shape[0], 1, 1}));
}

// Puts the three tokens before the batch in front of it.
ggml_tensor* concat(const Maker& m) {
    ggml_tensor* before = m.activation({3, m.c.shape[0], 1, 1});
    return ggml_concat(m.context, before, m.activation({m.c.shape[1], m.c.shape[0], 1, 1}), 0);
}

using Build = ggml_tensor* (*)(const Maker&);

const std::map<std::string_view, Build>& builders() {
    static const std::map<std::string_view, Build> all = {
        {"MUL_MAT", mul_mat},
        {"MUL_MAT_ID", mul_mat_id},
        {"FLASH_ATTN_EXT", flash_attention},
        {"ROPE", rope},
        {"GET_ROWS", get_rows},
        {"SET_ROWS", set_rows},
        {"CPY", copy},
        {"CONT", contiguous},
        {"GATED_DELTA_NET", delta_net},
        {"SSM_CONV", ssm_conv},
        {"CONCAT", concat},
        {"RMS_NORM", [](const Maker& m) { return ggml_rms_norm(m.context, m.input(), 1e-6F); }},
        {"NORM", [](const Maker& m) { return ggml_norm(m.context, m.input(), 1e-6F); }},
        {"L2_NORM", [](const Maker& m) { return ggml_l2_norm(m.context, m.input(), 1e-6F); }},
        {"MUL", [](const Maker& m) { return ggml_mul(m.context, m.input(), m.column_weights()); }},
        {kMulByColumn, mul_by_column},
        {"ADD", [](const Maker& m) { return ggml_add(m.context, m.input(), m.input()); }},
        {"SCALE", [](const Maker& m) { return ggml_scale(m.context, m.input(), 0.5F); }},
        {"SOFT_MAX", [](const Maker& m) { return ggml_soft_max(m.context, m.input()); }},
        {"ARGSORT",
         [](const Maker& m) { return ggml_argsort(m.context, m.input(), GGML_SORT_ORDER_DESC); }},
        {"SUM_ROWS", [](const Maker& m) { return ggml_sum_rows(m.context, m.input()); }},
    };
    return all;
}

// Makes a unary op or a gate. ggml has one function for each of the two kinds; the name of the case
// tells which op.
ggml_tensor* unary_or_gate(const Maker& m) {
    for (int i = 0; i < GGML_UNARY_OP_COUNT; i++) {
        const auto op = static_cast<ggml_unary_op>(i);
        if (m.c.op == ggml_unary_op_name(op)) return ggml_unary(m.context, m.input(), op);
    }
    for (int i = 0; i < GGML_GLU_OP_COUNT; i++) {
        const auto op = static_cast<ggml_glu_op>(i);
        if (m.c.op != ggml_glu_op_name(op)) continue;
        return ggml_glu_split(m.context, m.input(), m.input(), op);
    }
    return nullptr;
}

}  // namespace

ggml_tensor* make_node(ggml_context* context,
                       const OpCase& op_case,
                       ggml_type type,
                       OperandSource& source) {
    const auto found = builders().find(op_case.op);
    const Build build = found != builders().end() ? found->second : unary_or_gate;
    return build({context, op_case, type, source});
}

}  // namespace pshard
