// Transformers with routed experts.
#include "models/arch.h"

namespace pshard::shapes {
namespace {

// Adds a dense FFN in the leading layers, routed and shared experts in the rest.
void add_dense_or_experts(Layer& layer) {
    if (layer.index < layer.model.moe.n_dense_lead) {
        add_dense_ffn(layer);
        return;
    }
    add_routed_experts(layer);
    add_shared_experts(layer);
}

void add_latent_attention(Layer& layer) {
    const ModelShape& m = layer.model;
    const MlaShape& mla = m.mla;
    const std::int64_t n_q = std::int64_t{m.n_head} * mla.head_dim_k;
    if (mla.q_lora_rank > 0) {
        layer.weight("attn_q_a", {m.n_embd, mla.q_lora_rank});
        layer.weight("attn_q_a_norm", {mla.q_lora_rank});
        layer.weight("attn_q_b", {mla.q_lora_rank, n_q});
    } else {
        layer.weight("attn_q", {m.n_embd, n_q});
    }
    layer.weight("attn_kv_a_mqa", {m.n_embd, mla.kv_lora_rank + rope_dim(m)});
    layer.weight("attn_kv_a_norm", {mla.kv_lora_rank});
    layer.weight("attn_k_b", {mla.head_dim_k - rope_dim(m), mla.kv_lora_rank, m.n_head});
    layer.weight("attn_v_b", {mla.kv_lora_rank, mla.head_dim_v, m.n_head});
    layer.weight("attn_output", {std::int64_t{m.n_head} * mla.head_dim_v, m.n_embd});
}

}  // namespace

void qwen3moe_layer(Layer& layer) {
    layer.norm("attn_norm");
    add_attention(layer);
    add_qk_norms(layer);
    layer.norm("ffn_norm");
    add_routed_experts(layer);
}

// Every other layer has a sliding window (llama.cpp's default pattern for gpt-oss).
void gpt_oss_keys(Header& header, const ModelShape& model) {
    add_moe_keys(header, model);
    header.u32("%.attention.sliding_window", model.n_swa);
}

void gpt_oss_layer(Layer& layer) {
    const ModelShape& m = layer.model;
    layer.norm("attn_norm");
    add_attention(layer);
    layer.bias("attn_output", {m.n_embd});
    layer.weight("attn_sinks", {m.n_head});
    layer.norm("post_attention_norm");
    add_routed_experts(layer);
    layer.bias("ffn_gate_inp", {m.moe.n_expert});
    layer.bias("ffn_gate_exps", {m.moe.n_ff_expert, m.moe.n_expert});
    layer.bias("ffn_up_exps", {m.moe.n_ff_expert, m.moe.n_expert});
    layer.bias("ffn_down_exps", {m.n_embd, m.moe.n_expert});
}

// The cache holds one head of kv_lora_rank + rope: attention runs as MQA on the latent.
void deepseek2_keys(Header& header, const ModelShape& model) {
    add_moe_keys(header, model);
    const MlaShape& mla = model.mla;
    if (mla.q_lora_rank > 0) {
        header.u32("%.attention.q_lora_rank", mla.q_lora_rank);
    }
    header.u32("%.attention.kv_lora_rank", mla.kv_lora_rank);
    header.u32("%.attention.head_count_kv", 1);
    header.u32("%.attention.key_length", mla.kv_lora_rank + rope_dim(model));
    header.u32("%.attention.value_length", mla.kv_lora_rank);
    header.u32("%.attention.key_length_mla", mla.head_dim_k);
    header.u32("%.attention.value_length_mla", mla.head_dim_v);
}

void deepseek2_layer(Layer& layer) {
    layer.norm("attn_norm");
    add_latent_attention(layer);
    layer.norm("ffn_norm");
    add_dense_or_experts(layer);
}

void glm4moe_keys(Header& header, const ModelShape& model) {
    add_moe_keys(header, model);
    header.u32("%.nextn_predict_layers", model.n_nextn);
}

void glm4moe_layer(Layer& layer) {
    layer.norm("attn_norm");
    add_attention(layer);
    layer.norm("post_attention_norm");
    add_dense_or_experts(layer);
}

// Chunked attention on 3 of 4 layers is llama.cpp's default where no window is named.
void llama4_keys(Header& header, const ModelShape& model) {
    add_moe_keys(header, model);
    header.u32("%.interleave_moe_layer_step", 1);
}

void llama4_layer(Layer& layer) {
    layer.norm("attn_norm");
    add_attention(layer);
    layer.norm("ffn_norm");
    add_routed_experts(layer);
    add_shared_experts(layer);
}

}  // namespace pshard::shapes
