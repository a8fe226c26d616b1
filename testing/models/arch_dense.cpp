// Dense transformers; `llama` also covers Mixtral, whose FFN is routed.
#include "models/arch.h"

namespace pshard::shapes {

// llama, qwen2 (with biases)
void llama_layer(Layer& layer) {
    layer.norm("attn_norm");
    add_attention(layer);
    layer.norm("ffn_norm");
    if (layer.model.moe.n_expert > 0) {
        add_routed_experts(layer);
    } else {
        add_dense_ffn(layer);
    }
}

void qwen3_layer(Layer& layer) {
    layer.norm("attn_norm");
    add_attention(layer);
    add_qk_norms(layer);
    layer.norm("ffn_norm");
    add_dense_ffn(layer);
}

// 5 of 6 layers have a sliding window (llama.cpp's default pattern for gemma3).
void gemma3_keys(Header& header, const ModelShape& model) {
    header.u32("%.attention.sliding_window", model.n_swa);
}

void gemma3_layer(Layer& layer) {
    qwen3_layer(layer);
    layer.norm("post_attention_norm");
    layer.norm("post_ffw_norm");
}

// Q, K and V are one tensor, and so are gate and up.
void phi3_layer(Layer& layer) {
    const ModelShape& m = layer.model;
    const std::int64_t n_kv = std::int64_t{head_dim(m)} * m.n_head_kv;
    layer.norm("attn_norm");
    layer.weight("attn_qkv", {m.n_embd, m.n_embd + 2 * n_kv});
    layer.weight("attn_output", {m.n_embd, m.n_embd});
    layer.norm("ffn_norm");
    layer.weight("ffn_up", {m.n_embd, std::int64_t{2} * m.n_ff});
    layer.weight("ffn_down", {m.n_ff, m.n_embd});
}

void command_r_keys(Header& header, const ModelShape& model) {
    header.f32("%.attention.layer_norm_epsilon", model.norm_eps);
    header.f32("%.logit_scale", model.logit_scale);
}

// Attention and FFN run side by side behind one norm.
void command_r_layer(Layer& layer) {
    layer.norm("attn_norm");
    add_attention(layer);
    add_dense_ffn(layer);
}

}  // namespace pshard::shapes
