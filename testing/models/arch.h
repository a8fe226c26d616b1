// What each architecture needs of a file: its keys and its tensors.
// Source: llama.cpp v0.5.0, load_arch_hparams() and load_arch_tensors() of src/models/<arch>.cpp.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "models/header.h"
#include "models/tensor_list.h"

namespace pshard::shapes {

// One architecture: `keys` adds what common_keys() in arch.cpp does not, `layer` adds one layer.
struct Arch {
    std::string name;
    void (*keys)(Header&, const ModelShape&);
    void (*layer)(Layer&);
};

const std::vector<Arch>& all_archs();

// Fails: sizes that make no model; the message names the one that is wrong.
Status check_sizes(const ModelShape& model);

// The keys of the model, without those of the tokenizer and of the file type.
// Fails: an unknown architecture.
Status add_model_keys(Header& header, const ModelShape& model);

// All tensors: those of no layer, then the layers in order.
// Fails: an unknown architecture.
Result<TensorList> list_tensors(const ModelShape& model);

int head_dim(const ModelShape& model);
int rope_dim(const ModelShape& model);

// The sign of a layer in layer_pattern; '*' if there is no pattern.
char layer_kind(const ModelShape& model, int layer);

// ---- Parts that several architectures share (arch_parts.cpp)

void add_attention(Layer& layer);       // attn_q, _k, _v (with biases if the model has), _output
void add_qk_norms(Layer& layer);        // one weight per head dimension
void add_dense_ffn(Layer& layer);       // ffn_gate, _up, _down
void add_routed_experts(Layer& layer);  // ffn_gate_inp, ffn_{gate,up,down}_exps, exp_probs_b
void add_shared_experts(Layer& layer);  // ffn_{gate,up,down}_shexp, if the model has them
void add_draft_parts(TensorList& list, const ModelShape& model);  // of no layer
void add_mamba2(Layer& layer);  // ssm_in, _conv1d, _dt, _a, _d, _out
void add_moe_keys(Header& header, const ModelShape& model);
void add_ssm_keys(Header& header, const ModelShape& model);

// A number for each layer: `value` if its layer_kind is `kind`, else 0.
std::vector<std::int32_t> per_layer(const ModelShape& model, char kind, int value);

// ---- The architectures, one row each in all_archs()

void no_keys(Header& header, const ModelShape& model);

void llama_layer(Layer& layer);
void qwen3_layer(Layer& layer);
void gemma3_keys(Header& header, const ModelShape& model);
void gemma3_layer(Layer& layer);
void phi3_layer(Layer& layer);
void command_r_keys(Header& header, const ModelShape& model);
void command_r_layer(Layer& layer);

void qwen3moe_layer(Layer& layer);
void gpt_oss_keys(Header& header, const ModelShape& model);
void gpt_oss_layer(Layer& layer);
void deepseek2_keys(Header& header, const ModelShape& model);
void deepseek2_layer(Layer& layer);
void glm4moe_keys(Header& header, const ModelShape& model);
void glm4moe_layer(Layer& layer);
void llama4_keys(Header& header, const ModelShape& model);
void llama4_layer(Layer& layer);

void qwen3next_keys(Header& header, const ModelShape& model);
void qwen3next_layer(Layer& layer);
void qwen35moe_keys(Header& header, const ModelShape& model);
void qwen35moe_layer(Layer& layer);
void draft_keys(Header& header, const ModelShape& model);
void eagle3_layer(Layer& layer);
void granitehybrid_keys(Header& header, const ModelShape& model);
void granitehybrid_layer(Layer& layer);
void falcon_h1_keys(Header& header, const ModelShape& model);
void falcon_h1_layer(Layer& layer);
void nemotron_h_keys(Header& header, const ModelShape& model);
void nemotron_h_layer(Layer& layer);

}  // namespace pshard::shapes
