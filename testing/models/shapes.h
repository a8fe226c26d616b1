// Model files to plan for and to test with, without downloading a model.
//
//   sparse   the whole GGUF header of a public model (keys, tokenizer, tensor names, shapes, types)
//            at its real size, over a hole: 142 GB of weights take some MB of disk. llama.cpp
//            loads it with no_alloc; its weights read as zeros.
//   random   a small model of the same architecture with random weights that really runs in
//            stock llama.cpp.
//
// A shape is data: to add a model of a known architecture, add one row to known_shapes.cpp. What an
// architecture needs (keys, tensors) is one pair of functions in arch_dense.cpp, arch_moe.cpp or
// arch_recurrent.cpp, listed in arch.cpp. Sources: llama.cpp v0.5.0, src/models/*.cpp.
//
// The strings of the tokenizers are not real. Their numbers (tokens, merges, pre-tokenizer) are.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"

namespace pshard {

// Routed and shared experts. n_expert == 0: a dense model.
struct MoeShape {
    int n_expert = 0;
    int n_expert_used = 0;
    int n_ff_expert = 0;      // width of one routed expert
    int n_ff_shared = 0;      // width of all shared experts together; 0: none
    int n_expert_shared = 0;  // their number, where the file names it
    int n_dense_lead = 0;     // first layers, with a dense FFN instead
    int n_group = 0;          // expert groups and how many are used; 0: no groups
    int n_group_used = 0;
    bool sigmoid_gate = false;    // sigmoid router, else softmax
    bool selection_bias = false;  // exp_probs_b: a bias per expert in the choice only
    float weights_scale = 1.0f;
    bool weights_norm = false;
};

// Multi-head latent attention (DeepSeek). kv_lora_rank == 0: plain attention.
struct MlaShape {
    int q_lora_rank = 0;  // 0: the query has no low-rank step (V2-Lite)
    int kv_lora_rank = 0;
    int head_dim_k = 0;  // with the rope part
    int head_dim_v = 0;
};

// Mamba2 or gated delta net. d_conv == 0: no recurrent layers.
struct SsmShape {
    int d_conv = 0;
    int d_state = 0;
    int d_inner = 0;
    int n_head = 0;  // ssm.time_step_rank
    int n_group = 0;
};

// A model that drafts from what lies in a target: it has no embeddings and no head, since it reads
// the target's. target_layers empty: a model of its own.
struct DraftShape {
    std::vector<int> target_layers{};  // whose inputs it reads
    int block_size = 0;                // tokens that it drafts in one pass; 0: one by one
    int markov_rank = 0;               // of DSpark's head; 0: none
};

// Rope scaling as the file states it. type "": none.
struct RopeScaling {
    std::string type{};  // "yarn", "linear"
    float factor = 1.0f;
    int n_ctx_orig = 0;
    float yarn_log_multiplier = 0.0f;
};

// One model. 0 means "the architecture's default" where a comment names one, else "has none".
struct ModelShape {
    std::string name;
    std::string arch;       // general.architecture
    std::string source;     // the public model whose config.json gave the numbers
    std::string tokenizer;  // a name in tokenizer.cpp
    int n_vocab = 0;
    int n_ctx_train = 0;
    int n_layer = 0;  // without n_nextn
    int n_nextn = 0;  // appended MTP layers
    int n_embd = 0;
    int n_ff = 0;
    int n_head = 0;
    int n_head_kv = 0;
    int head_dim = 0;  // 0: n_embd / n_head
    int rope_dim = 0;  // 0: head_dim
    float rope_base = 10000.0f;
    float norm_eps = 1e-5f;
    bool tied_embeddings = false;  // no output.weight
    bool rope_factors = false;     // has rope_freqs.weight (Llama 3.1 and later)
    bool qkv_bias = false;
    int n_swa = 0;  // sliding window in tokens; the layers that use it are llama.cpp's default
    // One sign per layer, as in Nemotron-H's config: M recurrent, * attention, - FFN alone.
    // "": all layers have attention.
    std::string layer_pattern{};
    float logit_scale = 0.0f;
    float residual_scale = 0.0f;
    float embedding_scale = 0.0f;
    float attention_scale = 0.0f;
    RopeScaling rope_scaling{};
    MoeShape moe{};
    MlaShape mla{};
    SsmShape ssm{};
    DraftShape draft{};
};

// The public models, in the order of `pshard-make-model --list`.
const std::vector<ModelShape>& known_shapes();

// Small models that run, one per architecture: what write_random() starts from.
const std::vector<ModelShape>& tiny_shapes();

// Small models that draft for those of tiny_shapes(), of the same width: "eagle3", "dflash",
// "dspark", as llama.cpp's --spec-type names them behind "draft-".
Result<ModelShape> find_tiny_draft(const std::string& kind);

// The known shape of that name; an unknown name is an error that lists those known.
Result<ModelShape> find_shape(const std::string& name);
Result<ModelShape> find_tiny_shape(const std::string& arch);

// Other sizes for a small model; 0 leaves a size as it is.
struct TinySizes {
    int n_layer = 0;  // layer_pattern is repeated or cut
    int n_nextn = 0;  // of glm4moe and qwen35moe
    int n_embd = 0;   // heads and recurrent mixers grow with it
    int n_ff = 0;
    int n_head = 0;  // after n_embd
    int n_head_kv = 0;
    int n_vocab = 0;
    int n_expert = 0;  // the last three: models with experts alone
    int n_expert_used = 0;
    int n_ff_expert = 0;
};

// Fails: a width that leaves parts of heads.
Result<ModelShape> resized(const ModelShape& tiny_shape, const TinySizes& sizes);

// The quantizations that are known, by llama.cpp's names: "Q4_K_M", "Q8_0", "MXFP4", ...
std::vector<std::string> quant_names();

// The files that the writers below make: `path`, or "X-00001-of-0000N.gguf" and so on.
std::vector<std::filesystem::path> model_paths(const std::filesystem::path& path, int n_split);

struct WrittenModel {
    std::vector<std::filesystem::path> files;  // one, or the splits in order
    Bytes bytes = 0;                           // of all files, holes included
};

// How many files a model becomes. The first may be a stub, as gguf-split --no-tensor-first-split
// leaves it: all keys, and no tensor.
struct Splits {
    int count = 1;
    bool first_is_stub = false;
};

// Writes `shape` at full size with no weights. With several splits, "X.gguf" becomes
// "X-00001-of-0000N.gguf" and so on, parts of about equal bytes; the keys are in the first.
// Fails: unknown quant or architecture, sizes that make no model, a file that cannot be written,
// fewer tensors than splits. Files that are there stay as they are until all are written.
Result<WrittenModel> write_sparse(const ModelShape& shape,
                                  const std::string& quant,
                                  const std::filesystem::path& path,
                                  const Splits& splits = {});

// Writes `shape` with random weights: unit-variance rows (variance 1 / columns), norms near 1, the
// rest such that logits stay finite. Equal arguments give equal bytes; the splits hold the weights
// of the whole file.
// The model may end its text at any token: use --ignore-eos where a number of tokens is wanted.
// Fails: as write_sparse.
Result<WrittenModel> write_random(const ModelShape& shape,
                                  const std::string& quant,
                                  const std::filesystem::path& path,
                                  std::uint64_t seed,
                                  const Splits& splits = {});

}  // namespace pshard
