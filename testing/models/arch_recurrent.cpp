// Hybrids: some layers carry a recurrent state in place of, or beside, attention.
#include "models/arch.h"

namespace pshard::shapes {
namespace {

// Adds a gated delta net: d_state is the dimension of a key head and of a value head. `rates`: the
// weights of its decay and of its step, in one tensor or two.
void add_delta_net(Layer& layer, const std::vector<std::string>& rates) {
    const ModelShape& m = layer.model;
    const SsmShape& ssm = m.ssm;
    const std::int64_t n_key = std::int64_t{ssm.d_state} * ssm.n_group;
    const std::int64_t n_value = std::int64_t{ssm.d_state} * ssm.n_head;
    layer.weight("attn_qkv", {m.n_embd, 2 * n_key + n_value});
    layer.weight("attn_gate", {m.n_embd, n_value});
    layer.weight("ssm_conv1d", {ssm.d_conv, 2 * n_key + n_value});
    layer.bias("ssm_dt", {ssm.n_head});
    layer.add("ssm_a", {ssm.n_head});
    for (const std::string& name : rates) {
        const auto share = static_cast<std::int64_t>(2 / rates.size());
        layer.weight(name, {m.n_embd, share * ssm.n_head});
    }
    layer.weight("ssm_norm", {ssm.d_state});
    layer.weight("ssm_out", {n_value, m.n_embd});
}

// Adds attention whose query projection also makes the gate of its output.
void add_gated_attention(Layer& layer) {
    const ModelShape& m = layer.model;
    const std::int64_t n_q = std::int64_t{head_dim(m)} * m.n_head;
    const std::int64_t n_kv = std::int64_t{head_dim(m)} * m.n_head_kv;
    layer.weight("attn_q", {m.n_embd, 2 * n_q});
    layer.weight("attn_k", {m.n_embd, n_kv});
    layer.weight("attn_v", {m.n_embd, n_kv});
    layer.weight("attn_output", {n_q, m.n_embd});
    add_qk_norms(layer);
}

void add_qwen_hybrid(Layer& layer, const std::vector<std::string>& rates) {
    layer.norm("attn_norm");
    if (layer_kind(layer.model, layer.index) == 'M') {
        add_delta_net(layer, rates);
    } else {
        add_gated_attention(layer);
    }
    layer.norm("post_attention_norm");
    add_routed_experts(layer);
    layer.norm("ffn_gate_inp_shexp");
    add_shared_experts(layer);
}

void add_grouped_ssm_norm(Layer& layer) {
    const SsmShape& ssm = layer.model.ssm;
    layer.weight("ssm_norm", {ssm.d_inner / ssm.n_group, ssm.n_group});
}

}  // namespace

void qwen3next_keys(Header& header, const ModelShape& model) {
    add_moe_keys(header, model);
    add_ssm_keys(header, model);
    const auto first_attention = static_cast<std::int64_t>(model.layer_pattern.find('*'));
    header.u32("%.full_attention_interval", first_attention + 1);
}

void qwen3next_layer(Layer& layer) { add_qwen_hybrid(layer, {"ssm_ba"}); }

// The keys are qwen3next's, with positions of time, height and width.
void qwen35moe_keys(Header& header, const ModelShape& model) {
    qwen3next_keys(header, model);
    const int n_pairs = rope_dim(model) / 2;
    const int side = n_pairs / 3;
    header.i32s("%.rope.dimension_sections", {n_pairs - 2 * side, side, side, 0});
    if (model.n_nextn > 0) header.u32("%.nextn_predict_layers", model.n_nextn);
}

void qwen35moe_layer(Layer& layer) { add_qwen_hybrid(layer, {"ssm_alpha", "ssm_beta"}); }

// A layer is recurrent if and only if it has no KV heads. No layer has rope. The width of an expert
// is under the key that is the dense FFN's elsewhere.
void granitehybrid_keys(Header& header, const ModelShape& model) {
    add_moe_keys(header, model);
    header.u32("%.feed_forward_length", model.moe.n_ff_expert);
    add_ssm_keys(header, model);
    header.i32s("%.attention.head_count_kv", per_layer(model, '*', model.n_head_kv));
    header.flag("%.rope.scaling.finetuned", false);
    header.f32("%.logit_scale", model.logit_scale);
    header.f32("%.residual_scale", model.residual_scale);
    header.f32("%.embedding_scale", model.embedding_scale);
    header.f32("%.attention.scale", model.attention_scale);
}

void granitehybrid_layer(Layer& layer) {
    layer.norm("attn_norm");
    if (layer_kind(layer.model, layer.index) == 'M') {
        add_mamba2(layer);
        add_grouped_ssm_norm(layer);
    } else {
        add_attention(layer);
    }
    layer.norm("ffn_norm");
    add_routed_experts(layer);
    add_shared_experts(layer);
}

void falcon_h1_keys(Header& header, const ModelShape& model) { add_ssm_keys(header, model); }

// Every layer has both a mamba2 mixer and attention, side by side.
void falcon_h1_layer(Layer& layer) {
    layer.norm("attn_norm");
    add_mamba2(layer);
    add_attention(layer);
    layer.add("ffn_norm", {layer.model.n_embd});
    add_dense_ffn(layer);
}

// A layer is one of three kinds; the file tells them apart by KV heads and FFN width per layer.
void nemotron_h_keys(Header& header, const ModelShape& model) {
    add_ssm_keys(header, model);
    header.f32("%.attention.layer_norm_epsilon", model.norm_eps);
    header.i32s("%.attention.head_count_kv", per_layer(model, '*', model.n_head_kv));
    header.i32s("%.feed_forward_length", per_layer(model, '-', model.n_ff));
}

void nemotron_h_layer(Layer& layer) {
    const ModelShape& m = layer.model;
    layer.norm("attn_norm");
    switch (layer_kind(m, layer.index)) {
        case 'M':
            add_mamba2(layer);
            add_grouped_ssm_norm(layer);
            break;
        case '*':
            add_attention(layer);
            break;
        default:
            layer.weight("ffn_up", {m.n_embd, m.n_ff});
            layer.weight("ffn_down", {m.n_ff, m.n_embd});
            break;
    }
}

}  // namespace pshard::shapes
