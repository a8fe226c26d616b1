// The parts that several architectures share.
#include "models/arch.h"

namespace pshard::shapes {

void no_keys(Header&, const ModelShape&) {}

void add_attention(Layer& layer) {
    const ModelShape& m = layer.model;
    const std::int64_t n_q = std::int64_t{head_dim(m)} * m.n_head;
    const std::int64_t n_kv = std::int64_t{head_dim(m)} * m.n_head_kv;
    layer.weight("attn_q", {m.n_embd, n_q});
    layer.weight("attn_k", {m.n_embd, n_kv});
    layer.weight("attn_v", {m.n_embd, n_kv});
    layer.weight("attn_output", {n_q, m.n_embd});
    if (m.qkv_bias) {
        layer.bias("attn_q", {n_q});
        layer.bias("attn_k", {n_kv});
        layer.bias("attn_v", {n_kv});
    }
}

void add_qk_norms(Layer& layer) {
    layer.weight("attn_q_norm", {head_dim(layer.model)});
    layer.weight("attn_k_norm", {head_dim(layer.model)});
}

void add_dense_ffn(Layer& layer) {
    const ModelShape& m = layer.model;
    layer.weight("ffn_gate", {m.n_embd, m.n_ff});
    layer.weight("ffn_up", {m.n_embd, m.n_ff});
    layer.weight("ffn_down", {m.n_ff, m.n_embd});
}

void add_routed_experts(Layer& layer) {
    const ModelShape& m = layer.model;
    const MoeShape& moe = m.moe;
    layer.weight("ffn_gate_inp", {m.n_embd, moe.n_expert});
    if (moe.selection_bias) {
        layer.bias("exp_probs_b", {moe.n_expert});
    }
    layer.weight("ffn_gate_exps", {m.n_embd, moe.n_ff_expert, moe.n_expert});
    layer.weight("ffn_up_exps", {m.n_embd, moe.n_ff_expert, moe.n_expert});
    layer.weight("ffn_down_exps", {moe.n_ff_expert, m.n_embd, moe.n_expert});
}

void add_shared_experts(Layer& layer) {
    const ModelShape& m = layer.model;
    if (m.moe.n_ff_shared == 0) {
        return;
    }
    layer.weight("ffn_gate_shexp", {m.n_embd, m.moe.n_ff_shared});
    layer.weight("ffn_up_shexp", {m.n_embd, m.moe.n_ff_shared});
    layer.weight("ffn_down_shexp", {m.moe.n_ff_shared, m.n_embd});
}

void add_mamba2(Layer& layer) {
    const ModelShape& m = layer.model;
    const SsmShape& ssm = m.ssm;
    const std::int64_t n_conv = ssm.d_inner + 2 * ssm.n_group * ssm.d_state;
    layer.weight("ssm_in", {m.n_embd, ssm.d_inner + n_conv + ssm.n_head});
    layer.weight("ssm_conv1d", {ssm.d_conv, n_conv});
    layer.bias("ssm_conv1d", {n_conv});
    layer.bias("ssm_dt", {ssm.n_head});
    layer.add("ssm_a", {1, ssm.n_head});
    layer.add("ssm_d", {1, ssm.n_head});
    layer.weight("ssm_out", {ssm.d_inner, m.n_embd});
}

void add_moe_keys(Header& header, const ModelShape& model) {
    const MoeShape& moe = model.moe;
    header.u32("%.expert_feed_forward_length", moe.n_ff_expert);
    if (moe.n_expert_shared > 0) {
        header.u32("%.expert_shared_count", moe.n_expert_shared);
        header.u32("%.expert_gating_func", moe.sigmoid_gate ? 2 : 1);
        header.f32("%.expert_weights_scale", moe.weights_scale);
        header.flag("%.expert_weights_norm", moe.weights_norm);
        header.u32("%.leading_dense_block_count", moe.n_dense_lead);
    } else if (moe.n_ff_shared > 0) {
        header.u32("%.expert_shared_feed_forward_length", moe.n_ff_shared);
    }
    if (moe.n_group > 0) {
        header.u32("%.expert_group_count", moe.n_group);
        header.u32("%.expert_group_used_count", moe.n_group_used);
    }
}

void add_ssm_keys(Header& header, const ModelShape& model) {
    header.u32("%.ssm.conv_kernel", model.ssm.d_conv);
    header.u32("%.ssm.state_size", model.ssm.d_state);
    header.u32("%.ssm.inner_size", model.ssm.d_inner);
    header.u32("%.ssm.time_step_rank", model.ssm.n_head);
    header.u32("%.ssm.group_count", model.ssm.n_group);
}

std::vector<std::int32_t> per_layer(const ModelShape& model, char kind, int value) {
    std::vector<std::int32_t> values;
    values.reserve(static_cast<size_t>(model.n_layer));
    for (int layer = 0; layer < model.n_layer; ++layer) {
        values.push_back(layer_kind(model, layer) == kind ? value : 0);
    }
    return values;
}

}  // namespace pshard::shapes
