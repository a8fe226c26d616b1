// Small models that run: one per architecture, with every kind of layer it has.
//
// Widths are multiples of 256 where quantizations with long blocks are to fit; the `small`
// tokenizer has the 256 bytes and some hundred words, so any prompt can be read.
#include <cstdint>
#include <numeric>

#include <fmt/format.h>

#include "models/shapes.h"

namespace pshard {
namespace {

// The shape that the rows below share; each adds what its architecture has besides.
ModelShape tiny(const std::string& arch) {
    return {.name = "tiny-" + arch,
            .arch = arch,
            .source = "made up",
            .tokenizer = "small",
            .n_vocab = 1024,
            .n_ctx_train = 4096,
            .n_layer = 4,
            .n_embd = 256,
            .n_ff = 512,
            .n_head = 4,
            .n_head_kv = 2,
            .head_dim = 64,
            .norm_eps = 1e-6f};
}

ModelShape tiny_moe(const std::string& arch) {
    ModelShape model = tiny(arch);
    model.moe = {.n_expert = 16, .n_expert_used = 4, .n_ff_expert = 256};
    return model;
}

ModelShape tiny_gemma3() {
    ModelShape model = tiny("gemma3");
    model.n_layer = 6;  // one full layer in 6
    model.tied_embeddings = true;
    model.n_swa = 64;
    return model;
}

ModelShape tiny_qwen2() {
    ModelShape model = tiny("qwen2");
    model.qkv_bias = true;
    return model;
}

// Not "tiny-phi3": llama.cpp's vocabulary loader looks for tokens of Phi-3 under a name with
// "phi3".
ModelShape tiny_phi3() {
    ModelShape model = tiny("phi3");
    model.name = "tiny-phi-4";
    return model;
}

ModelShape tiny_command_r() {
    ModelShape model = tiny("command-r");
    model.tied_embeddings = true;
    model.logit_scale = 0.25f;
    return model;
}

ModelShape tiny_gpt_oss() {
    ModelShape model = tiny_moe("gpt-oss");
    model.qkv_bias = true;
    model.n_swa = 64;
    return model;
}

ModelShape tiny_deepseek2() {
    ModelShape model = tiny_moe("deepseek2");
    model.rope_dim = 32;
    model.mla = {.q_lora_rank = 128, .kv_lora_rank = 256, .head_dim_k = 96, .head_dim_v = 64};
    model.moe.n_expert_shared = 1;
    model.moe.n_ff_shared = 256;
    model.moe.n_dense_lead = 1;
    model.moe.sigmoid_gate = true;
    model.moe.selection_bias = true;
    model.moe.weights_norm = true;
    return model;
}

// llama.cpp asks for the second factor of its ffn_moe_down in f32, which no GPU backend grants.
ModelShape tiny_mistral4() {
    ModelShape model = tiny_deepseek2();
    model.name = "tiny-mistral4";
    model.arch = "mistral4";
    model.mla.q_lora_rank = 128;
    model.moe.n_dense_lead = 0;
    model.moe.sigmoid_gate = false;
    model.moe.selection_bias = false;
    return model;
}

ModelShape tiny_glm4moe() {
    ModelShape model = tiny_moe("glm4moe");
    model.rope_dim = 32;
    model.qkv_bias = true;
    model.n_nextn = 1;
    model.moe.n_expert_shared = 1;
    model.moe.n_ff_shared = 256;
    model.moe.n_dense_lead = 1;
    model.moe.sigmoid_gate = true;
    model.moe.selection_bias = true;
    model.moe.weights_norm = true;
    return model;
}

ModelShape tiny_llama4() {
    ModelShape model = tiny_moe("llama4");
    model.rope_factors = true;
    model.moe.n_expert_used = 1;
    model.moe.n_ff_shared = 256;
    return model;
}

ModelShape tiny_qwen_hybrid(const char* arch) {
    ModelShape model = tiny_moe(arch);
    model.n_layer = 8;
    model.rope_dim = 32;
    model.layer_pattern = "MMM*MMM*";
    model.moe.n_ff_shared = 256;
    model.ssm = {.d_conv = 4, .d_state = 64, .d_inner = 256, .n_head = 4, .n_group = 2};
    return model;
}

ModelShape tiny_granitehybrid() {
    ModelShape model = tiny_moe("granitehybrid");
    model.tied_embeddings = true;
    model.layer_pattern = "MM*M";
    model.logit_scale = 4.0f;
    model.residual_scale = 0.22f;
    model.embedding_scale = 4.0f;
    model.attention_scale = 0.125f;
    model.moe.n_ff_shared = 256;
    model.ssm = {.d_conv = 4, .d_state = 64, .d_inner = 512, .n_head = 8, .n_group = 1};
    return model;
}

ModelShape tiny_falcon_h1() {
    ModelShape model = tiny("falcon-h1");
    model.ssm = {.d_conv = 4, .d_state = 64, .d_inner = 256, .n_head = 4, .n_group = 1};
    return model;
}

ModelShape tiny_nemotron_h() {
    ModelShape model = tiny("nemotron_h");
    model.n_layer = 6;
    model.layer_pattern = "M-M*-M";
    model.ssm = {.d_conv = 4, .d_state = 64, .d_inner = 512, .n_head = 8, .n_group = 2};
    return model;
}

ModelShape tiny_draft(const std::string& kind, const std::string& arch, DraftShape draft) {
    ModelShape model = tiny(arch);
    model.name = "tiny-" + kind;
    model.n_layer = 1;
    model.tied_embeddings = true;
    model.draft = std::move(draft);
    return model;
}

void set_if_given(int& field, int value) { field = value > 0 ? value : field; }

// Sets the number of layers; a longer pattern of layers repeats the small model's.
void resize_layers(ModelShape& model, int n_layer) {
    const std::string pattern = model.layer_pattern;
    set_if_given(model.n_layer, n_layer);
    model.layer_pattern.clear();
    for (int i = 0; i < model.n_layer && !pattern.empty(); ++i) {
        model.layer_pattern.push_back(pattern[static_cast<size_t>(i) % pattern.size()]);
    }
}

// Sets the width. The number of heads, of attention and of recurrent mixers, grows with it unless
// it is given. Fails with the number that the width must be a multiple of.
Status resize_width(ModelShape& model, const TinySizes& sizes) {
    const int old_width = model.n_embd;
    set_if_given(model.n_embd, sizes.n_embd);
    std::vector<int*> fields = {&model.ssm.n_head, &model.ssm.d_inner};
    if (sizes.n_head == 0) fields.push_back(&model.n_head);
    if (sizes.n_head_kv == 0) fields.push_back(&model.n_head_kv);
    int step = 1;
    for (int* field : fields) {
        step = std::lcm(step, old_width / std::gcd(old_width, *field));
        *field = static_cast<int>(std::int64_t{*field} * model.n_embd / old_width);
    }
    if (model.n_embd % step == 0) return Done{};
    return Error{fmt::format("a width of {} is no multiple of {}: the heads of {} models grow with "
                             "it",
                             model.n_embd,
                             step,
                             model.arch),
                 {}};
}

// What llama.cpp v0.5.0 would end on with an assertion (src/llama-hparams.h, src/llama-model.cpp).
Status check_limits(const ModelShape& model) {
    constexpr int kMostLayers = 512;
    constexpr int kMostExperts = 1024;
    const auto refused = [](const char* what, int n, const char* most_of, int most) -> Status {
        if (n <= most) return Done{};
        return Error{fmt::format("{} {} are more than {}, {}: give fewer", n, what, most_of, most),
                     {}};
    };
    const MoeShape& moe = model.moe;
    for (const Status& status :
         {refused("layers, with MTP layers,",
                  model.n_layer + model.n_nextn,
                  "llama.cpp takes",
                  kMostLayers),
          refused("experts", moe.n_expert, "llama.cpp takes", kMostExperts),
          refused("experts for each token", moe.n_expert_used, "there are", moe.n_expert)}) {
        if (!status) return status;
    }
    return Done{};
}

}  // namespace

Result<ModelShape> resized(const ModelShape& tiny_shape, const TinySizes& sizes) {
    ModelShape model = tiny_shape;
    resize_layers(model, sizes.n_layer);
    if (const Status whole = resize_width(model, sizes); !whole) return whole.error();
    if (sizes.n_nextn > 0 && model.arch != "glm4moe" && model.arch != "qwen35moe") {
        return Error{
            fmt::format("{} has no MTP layers here: glm4moe and qwen35moe have", model.arch), {}};
    }
    set_if_given(model.n_nextn, sizes.n_nextn);
    set_if_given(model.n_ff, sizes.n_ff);
    set_if_given(model.n_head, sizes.n_head);
    set_if_given(model.n_head_kv, sizes.n_head_kv);
    set_if_given(model.n_vocab, sizes.n_vocab);
    if (model.moe.n_expert > 0) {
        set_if_given(model.moe.n_expert, sizes.n_expert);
        set_if_given(model.moe.n_expert_used, sizes.n_expert_used);
        set_if_given(model.moe.n_ff_expert, sizes.n_ff_expert);
    }
    if (const Status known = check_limits(model); !known) return known.error();
    return model;
}

Result<ModelShape> find_tiny_draft(const std::string& kind) {
    const std::vector<int> layers = {0, 1, 3};
    for (const ModelShape& shape :
         {tiny_draft("eagle3", "eagle3", {.target_layers = layers}),
          tiny_draft("dflash", "dflash", {.target_layers = layers, .block_size = 8}),
          tiny_draft(
              "dspark", "dflash", {.target_layers = layers, .block_size = 8, .markov_rank = 64})}) {
        if (shape.name == "tiny-" + kind) return shape;
    }
    return Error{fmt::format("'{}' does not draft: eagle3, dflash and dspark do", kind), {}};
}

const std::vector<ModelShape>& tiny_shapes() {
    static const std::vector<ModelShape> shapes = {
        tiny("llama"),
        tiny_qwen2(),
        tiny("qwen3"),
        tiny_gemma3(),
        tiny_phi3(),
        tiny_command_r(),
        tiny_moe("qwen3moe"),
        tiny_gpt_oss(),
        tiny_deepseek2(),
        tiny_mistral4(),
        tiny_glm4moe(),
        tiny_llama4(),
        tiny_qwen_hybrid("qwen3next"),
        tiny_qwen_hybrid("qwen35moe"),
        tiny_granitehybrid(),
        tiny_falcon_h1(),
        tiny_nemotron_h(),
    };
    return shapes;
}

}  // namespace pshard
