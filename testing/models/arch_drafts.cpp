// Models that draft from the values of a target's layers, by its embeddings and its head.
#include "models/arch.h"

namespace pshard::shapes {

void draft_keys(Header& header, const ModelShape& model) {
    const DraftShape& draft = model.draft;
    header.i32s("%.target_layers", {draft.target_layers.begin(), draft.target_layers.end()});
    header.u32("%.target_hidden_size", model.n_embd);
    if (draft.block_size == 0) return;
    header.u32("%.block_size", draft.block_size);
    // Stands for the tokens of a block that are to be guessed; without it nothing is drafted.
    header.u32("tokenizer.ggml.mask_token_id", model.n_vocab - 1);
}

// What brings the target's values to the draft's width, and DSpark's head.
void add_draft_parts(TensorList& list, const ModelShape& model) {
    const auto n_read = static_cast<std::int64_t>(model.draft.target_layers.size());
    list.push_back({"fc.weight", {n_read * model.n_embd, model.n_embd}});
    if (model.draft.block_size > 0) list.push_back({"enc.output_norm.weight", {model.n_embd}});
    if (model.draft.markov_rank == 0) return;
    list.push_back({"markov_w1.weight", {model.draft.markov_rank, model.n_vocab}});
    list.push_back({"markov_w2.weight", {model.draft.markov_rank, model.n_vocab}});
}

// Attention reads the embedding of a token and the target's values side by side.
void eagle3_layer(Layer& layer) {
    const ModelShape& m = layer.model;
    const std::int64_t n_read = std::int64_t{2} * m.n_embd;
    const std::int64_t n_q = std::int64_t{head_dim(m)} * m.n_head;
    const std::int64_t n_kv = std::int64_t{head_dim(m)} * m.n_head_kv;
    layer.norm("attn_norm");
    layer.norm("attn_norm_2");
    layer.weight("attn_q", {n_read, n_q});
    layer.weight("attn_k", {n_read, n_kv});
    layer.weight("attn_v", {n_read, n_kv});
    layer.weight("attn_output", {n_q, m.n_embd});
    layer.norm("ffn_norm");
    add_dense_ffn(layer);
}

}  // namespace pshard::shapes
