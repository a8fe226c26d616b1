// The public models, one row each.
//
// Numbers: config.json of the model that `source` names, on huggingface.co; held against the public
// parameter counts and file sizes in tests/models/known_shapes_test.cpp.
#include <algorithm>
#include <iterator>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "models/shapes.h"

namespace pshard {
namespace {

std::string repeat(const std::string& part, int n) {
    std::string text;
    for (int i = 0; i < n; ++i) {
        text += part;
    }
    return text;
}

// clang-format off
// Llama and Mistral: one architecture.
std::vector<ModelShape> llama_models() {
    return {
        {.name = "Llama-3.2-3B", .arch = "llama", .source = "meta-llama/Llama-3.2-3B-Instruct",
         .tokenizer = "llama3", .n_vocab = 128256, .n_ctx_train = 131072, .n_layer = 28,
         .n_embd = 3072, .n_ff = 8192, .n_head = 24, .n_head_kv = 8, .rope_base = 5e5f,
         .tied_embeddings = true, .rope_factors = true},
        {.name = "Llama-3.1-8B", .arch = "llama", .source = "meta-llama/Llama-3.1-8B-Instruct",
         .tokenizer = "llama3", .n_vocab = 128256, .n_ctx_train = 131072, .n_layer = 32,
         .n_embd = 4096, .n_ff = 14336, .n_head = 32, .n_head_kv = 8, .rope_base = 5e5f,
         .rope_factors = true},
        {.name = "Llama-3.3-70B", .arch = "llama", .source = "meta-llama/Llama-3.3-70B-Instruct",
         .tokenizer = "llama3", .n_vocab = 128256, .n_ctx_train = 131072, .n_layer = 80,
         .n_embd = 8192, .n_ff = 28672, .n_head = 64, .n_head_kv = 8, .rope_base = 5e5f,
         .rope_factors = true},
        {.name = "Mistral-Small-24B", .arch = "llama",
         .source = "mistralai/Mistral-Small-24B-Instruct-2501",
         .tokenizer = "tekken", .n_vocab = 131072, .n_ctx_train = 32768, .n_layer = 40,
         .n_embd = 5120, .n_ff = 32768, .n_head = 32, .n_head_kv = 8, .head_dim = 128,
         .rope_base = 1e8f},
        {.name = "Mistral-Large-123B", .arch = "llama",
         .source = "mistralai/Mistral-Large-Instruct-2407",
         .tokenizer = "spm", .n_vocab = 32768, .n_ctx_train = 131072, .n_layer = 88,
         .n_embd = 12288, .n_ff = 28672, .n_head = 96, .n_head_kv = 8, .rope_base = 1e6f},
        {.name = "Mixtral-8x7B", .arch = "llama", .source = "mistralai/Mixtral-8x7B-Instruct-v0.1",
         .tokenizer = "spm", .n_vocab = 32000, .n_ctx_train = 32768, .n_layer = 32,
         .n_embd = 4096, .n_ff = 14336, .n_head = 32, .n_head_kv = 8, .rope_base = 1e6f,
         .moe = {.n_expert = 8, .n_expert_used = 2, .n_ff_expert = 14336}},
    };
}

std::vector<ModelShape> qwen_models() {
    return {
        {.name = "Qwen2.5-72B", .arch = "qwen2", .source = "Qwen/Qwen2.5-72B-Instruct",
         .tokenizer = "qwen2", .n_vocab = 152064, .n_ctx_train = 32768, .n_layer = 80,
         .n_embd = 8192, .n_ff = 29568, .n_head = 64, .n_head_kv = 8, .rope_base = 1e6f,
         .norm_eps = 1e-6f, .qkv_bias = true},
        {.name = "Qwen3-8B", .arch = "qwen3", .source = "Qwen/Qwen3-8B",
         .tokenizer = "qwen2", .n_vocab = 151936, .n_ctx_train = 40960, .n_layer = 36,
         .n_embd = 4096, .n_ff = 12288, .n_head = 32, .n_head_kv = 8, .head_dim = 128,
         .rope_base = 1e6f, .norm_eps = 1e-6f},
        {.name = "Qwen3-32B", .arch = "qwen3", .source = "Qwen/Qwen3-32B",
         .tokenizer = "qwen2", .n_vocab = 151936, .n_ctx_train = 40960, .n_layer = 64,
         .n_embd = 5120, .n_ff = 25600, .n_head = 64, .n_head_kv = 8, .head_dim = 128,
         .rope_base = 1e6f, .norm_eps = 1e-6f},
        {.name = "Qwen3-30B-A3B", .arch = "qwen3moe", .source = "Qwen/Qwen3-30B-A3B",
         .tokenizer = "qwen2", .n_vocab = 151936, .n_ctx_train = 40960, .n_layer = 48,
         .n_embd = 2048, .n_ff = 6144, .n_head = 32, .n_head_kv = 4, .head_dim = 128,
         .rope_base = 1e6f, .norm_eps = 1e-6f,
         .moe = {.n_expert = 128, .n_expert_used = 8, .n_ff_expert = 768}},
        {.name = "Qwen3-235B-A22B", .arch = "qwen3moe", .source = "Qwen/Qwen3-235B-A22B",
         .tokenizer = "qwen2", .n_vocab = 151936, .n_ctx_train = 40960, .n_layer = 94,
         .n_embd = 4096, .n_ff = 12288, .n_head = 64, .n_head_kv = 4, .head_dim = 128,
         .rope_base = 1e6f, .norm_eps = 1e-6f,
         .moe = {.n_expert = 128, .n_expert_used = 8, .n_ff_expert = 1536}},
    };
}

std::vector<ModelShape> other_dense_models() {
    return {
        {.name = "Gemma-3-27B", .arch = "gemma3", .source = "google/gemma-3-27b-it",
         .tokenizer = "spm", .n_vocab = 262144, .n_ctx_train = 131072, .n_layer = 62,
         .n_embd = 5376, .n_ff = 21504, .n_head = 32, .n_head_kv = 16, .head_dim = 128,
         .rope_base = 1e6f, .norm_eps = 1e-6f, .tied_embeddings = true, .n_swa = 1024,
         .rope_scaling = {.type = "linear", .factor = 8.0f}},
        {.name = "Phi-4", .arch = "phi3", .source = "microsoft/phi-4",
         .tokenizer = "gpt4", .n_vocab = 100352, .n_ctx_train = 16384, .n_layer = 40,
         .n_embd = 5120, .n_ff = 17920, .n_head = 40, .n_head_kv = 10, .rope_base = 2.5e5f},
        {.name = "Command-R-35B", .arch = "command-r", .source = "CohereForAI/c4ai-command-r-v01",
         .tokenizer = "command-r", .n_vocab = 256000, .n_ctx_train = 131072, .n_layer = 40,
         .n_embd = 8192, .n_ff = 22528, .n_head = 64, .n_head_kv = 64, .rope_base = 8e6f,
         .tied_embeddings = true, .logit_scale = 0.0625f},
    };
}

std::vector<ModelShape> other_routed_models() {
    return {
        {.name = "gpt-oss-20b", .arch = "gpt-oss", .source = "openai/gpt-oss-20b",
         .tokenizer = "gpt-oss", .n_vocab = 201088, .n_ctx_train = 131072, .n_layer = 24,
         .n_embd = 2880, .n_ff = 2880, .n_head = 64, .n_head_kv = 8, .head_dim = 64,
         .rope_base = 1.5e5f, .qkv_bias = true, .n_swa = 128,
         .rope_scaling = {.type = "yarn", .factor = 32.0f, .n_ctx_orig = 4096},
         .moe = {.n_expert = 32, .n_expert_used = 4, .n_ff_expert = 2880}},
        {.name = "gpt-oss-120b", .arch = "gpt-oss", .source = "openai/gpt-oss-120b",
         .tokenizer = "gpt-oss", .n_vocab = 201088, .n_ctx_train = 131072, .n_layer = 36,
         .n_embd = 2880, .n_ff = 2880, .n_head = 64, .n_head_kv = 8, .head_dim = 64,
         .rope_base = 1.5e5f, .qkv_bias = true, .n_swa = 128,
         .rope_scaling = {.type = "yarn", .factor = 32.0f, .n_ctx_orig = 4096},
         .moe = {.n_expert = 128, .n_expert_used = 4, .n_ff_expert = 2880}},
        {.name = "DeepSeek-V2-Lite", .arch = "deepseek2",
         .source = "deepseek-ai/DeepSeek-V2-Lite-Chat",
         .tokenizer = "deepseek-v2", .n_vocab = 102400, .n_ctx_train = 163840, .n_layer = 27,
         .n_embd = 2048, .n_ff = 10944, .n_head = 16, .n_head_kv = 16, .rope_dim = 64,
         .norm_eps = 1e-6f,
         .rope_scaling = {.type = "yarn", .factor = 40.0f, .n_ctx_orig = 4096,
                          .yarn_log_multiplier = 0.0707f},
         .moe = {.n_expert = 64, .n_expert_used = 6, .n_ff_expert = 1408, .n_ff_shared = 2816,
                 .n_expert_shared = 2, .n_dense_lead = 1},
         .mla = {.kv_lora_rank = 512, .head_dim_k = 192, .head_dim_v = 128}},
        {.name = "DeepSeek-V3", .arch = "deepseek2", .source = "deepseek-ai/DeepSeek-V3",
         .tokenizer = "deepseek-v3", .n_vocab = 129280, .n_ctx_train = 163840, .n_layer = 61,
         .n_embd = 7168, .n_ff = 18432, .n_head = 128, .n_head_kv = 128, .rope_dim = 64,
         .norm_eps = 1e-6f,
         .rope_scaling = {.type = "yarn", .factor = 40.0f, .n_ctx_orig = 4096,
                          .yarn_log_multiplier = 0.1f},
         .moe = {.n_expert = 256, .n_expert_used = 8, .n_ff_expert = 2048, .n_ff_shared = 2048,
                 .n_expert_shared = 1, .n_dense_lead = 3, .n_group = 8, .n_group_used = 4,
                 .sigmoid_gate = true, .selection_bias = true, .weights_scale = 2.5f,
                 .weights_norm = true},
         .mla = {.q_lora_rank = 1536, .kv_lora_rank = 512, .head_dim_k = 192, .head_dim_v = 128}},
        {.name = "GLM-4.5-Air", .arch = "glm4moe", .source = "zai-org/GLM-4.5-Air",
         .tokenizer = "glm4", .n_vocab = 151552, .n_ctx_train = 131072, .n_layer = 46, .n_nextn = 1,
         .n_embd = 4096, .n_ff = 10944, .n_head = 96, .n_head_kv = 8, .head_dim = 128,
         .rope_dim = 64,
         .rope_base = 1e6f, .qkv_bias = true,
         .moe = {.n_expert = 128, .n_expert_used = 8, .n_ff_expert = 1408, .n_ff_shared = 1408,
                 .n_expert_shared = 1, .n_dense_lead = 1, .sigmoid_gate = true,
                 .selection_bias = true, .weights_norm = true}},
        {.name = "Llama-4-Scout", .arch = "llama4",
         .source = "meta-llama/Llama-4-Scout-17B-16E-Instruct",
         .tokenizer = "llama4", .n_vocab = 202048, .n_ctx_train = 10485760, .n_layer = 48,
         .n_embd = 5120, .n_ff = 16384, .n_head = 40, .n_head_kv = 8, .head_dim = 128,
         .rope_base = 5e5f, .rope_factors = true,
         .moe = {.n_expert = 16, .n_expert_used = 1, .n_ff_expert = 8192, .n_ff_shared = 8192}},
    };
}

// Models in which some or all layers carry a recurrent state.
std::vector<ModelShape> recurrent_models() {
    return {
        {.name = "Qwen3-Next-80B-A3B", .arch = "qwen3next",
         .source = "Qwen/Qwen3-Next-80B-A3B-Instruct",
         .tokenizer = "qwen2", .n_vocab = 151936, .n_ctx_train = 262144, .n_layer = 48,
         .n_embd = 2048, .n_ff = 5120, .n_head = 16, .n_head_kv = 2, .head_dim = 256,
         .rope_dim = 64,
         .rope_base = 1e7f, .norm_eps = 1e-6f, .layer_pattern = repeat("MMM*", 12),
         .moe = {.n_expert = 512, .n_expert_used = 10, .n_ff_expert = 512, .n_ff_shared = 512},
         .ssm = {.d_conv = 4, .d_state = 128, .d_inner = 4096, .n_head = 32, .n_group = 16}},
        {.name = "Granite-4.0-H-Small", .arch = "granitehybrid",
         .source = "ibm-granite/granite-4.0-h-small",
         .tokenizer = "gpt4", .n_vocab = 100352, .n_ctx_train = 131072, .n_layer = 40,
         .n_embd = 4096, .n_ff = 768, .n_head = 32, .n_head_kv = 8, .tied_embeddings = true,
         .layer_pattern = "MMMMM*" + repeat("MMMMMMMMM*", 3) + "MMMM",
         .logit_scale = 16.0f, .residual_scale = 0.22f, .embedding_scale = 12.0f,
         .attention_scale = 0.0078125f,
         .moe = {.n_expert = 72, .n_expert_used = 10, .n_ff_expert = 768, .n_ff_shared = 1536},
         .ssm = {.d_conv = 4, .d_state = 128, .d_inner = 8192, .n_head = 128, .n_group = 1}},
        {.name = "Falcon-H1-7B", .arch = "falcon-h1", .source = "tiiuae/Falcon-H1-7B-Instruct",
         .tokenizer = "falcon-h1", .n_vocab = 130048, .n_ctx_train = 262144, .n_layer = 44,
         .n_embd = 3072, .n_ff = 12288, .n_head = 12, .n_head_kv = 2, .head_dim = 128,
         .rope_base = 1e11f,
         .ssm = {.d_conv = 4, .d_state = 256, .d_inner = 3072, .n_head = 24, .n_group = 1}},
        {.name = "Nemotron-Nano-9B-v2", .arch = "nemotron_h",
         .source = "nvidia/NVIDIA-Nemotron-Nano-9B-v2",
         .tokenizer = "tekken", .n_vocab = 131072, .n_ctx_train = 131072, .n_layer = 56,
         .n_embd = 4480, .n_ff = 15680, .n_head = 40, .n_head_kv = 8, .head_dim = 128,
         .layer_pattern = "M-M-M-MM-M-M-M*-M-M-M*-M-M-M-M*-M-M-M-M*-M-MM-M-M-M-M-M-",
         .ssm = {.d_conv = 4, .d_state = 128, .d_inner = 10240, .n_head = 128, .n_group = 8}},
    };
}

// clang-format on

std::vector<ModelShape> all_in_order() {
    std::vector<ModelShape> shapes;
    for (const auto models :
         {llama_models, qwen_models, other_dense_models, other_routed_models, recurrent_models}) {
        std::ranges::move(models(), std::back_inserter(shapes));
    }
    return shapes;
}

// The shape whose `field` is `value`. `what` tells in the Error what was looked for.
Result<ModelShape> find(const std::vector<ModelShape>& shapes,
                        const std::string& what,
                        std::string ModelShape::*field,
                        const std::string& value) {
    const auto found = std::ranges::find(shapes, value, field);
    if (found != shapes.end()) {
        return *found;
    }
    std::vector<std::string> known;
    known.reserve(shapes.size());
    for (const ModelShape& shape : shapes) {
        known.push_back(shape.*field);
    }
    return Error{
        fmt::format("{} '{}' is not known; known are {}", what, value, fmt::join(known, ", ")), {}};
}

}  // namespace

const std::vector<ModelShape>& known_shapes() {
    static const std::vector<ModelShape> shapes = all_in_order();
    return shapes;
}

Result<ModelShape> find_shape(const std::string& name) {
    return find(known_shapes(), "model", &ModelShape::name, name);
}

Result<ModelShape> find_tiny_shape(const std::string& arch) {
    return find(tiny_shapes(), "architecture", &ModelShape::arch, arch);
}

}  // namespace pshard
