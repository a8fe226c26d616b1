#include "models/quant.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace pshard::shapes {
namespace {

enum class Role { Output, Embedding, AttentionV, AttentionK, AttentionOutput, FfnDown, Other };

bool contains(const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
}

// A fused attn_qkv counts as V, as in llama.cpp.
Role role_of(const std::string& name) {
    if (name == "output.weight") return Role::Output;
    if (name == "token_embd.weight") return Role::Embedding;
    if (contains(name, "attn_qkv.weight") || contains(name, "attn_v.weight")) {
        return Role::AttentionV;
    }
    if (contains(name, "attn_k.weight")) return Role::AttentionK;
    if (contains(name, "attn_output.weight")) return Role::AttentionOutput;
    if (contains(name, "ffn_down")) return Role::FfnDown;
    return Role::Other;
}

bool is_quantized(const TensorSpec& tensor) {
    // A dimension of 1 at the end does not count: ggml_n_dims.
    const bool matrix = tensor.dims.size() >= 2 && tensor.dims[1] > 1;
    return matrix && tensor.name.ends_with("weight") && !tensor.name.ends_with("_norm.weight") &&
           !contains(tensor.name, "ffn_gate_inp.weight") && !contains(tensor.name, "ssm_conv1d");
}

bool use_more_bits(int i, int n) { return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2; }

// The type for a row that does not divide into blocks of `type`.
ggml_type fitting_type(ggml_type type, std::int64_t row) {
    if (row % ggml_blck_size(type) == 0) {
        return type;
    }
    switch (type) {
        case GGML_TYPE_IQ4_XS:
            type = GGML_TYPE_IQ4_NL;
            break;
        case GGML_TYPE_Q2_K:
        case GGML_TYPE_Q3_K:
        case GGML_TYPE_TQ2_0:
            type = GGML_TYPE_Q4_0;
            break;
        case GGML_TYPE_Q4_K:
            type = GGML_TYPE_Q5_0;
            break;
        case GGML_TYPE_Q5_K:
            type = GGML_TYPE_Q5_1;
            break;
        case GGML_TYPE_Q6_K:
            type = GGML_TYPE_Q8_0;
            break;
        default:
            break;
    }
    return row % ggml_blck_size(type) == 0 ? type : GGML_TYPE_F16;
}

// The exceptions of one quantization of one model. Holds the counters of the layer rules.
class Mixture {
public:
    Mixture(const ModelShape& model, const TensorList& tensors, const Quant& quant)
        : model_(model), quant_(quant), n_layer_(model.n_layer + model.n_nextn) {
        n_attention_v_ = static_cast<int>(std::ranges::count_if(
            tensors, [](const auto& tensor) { return role_of(tensor.name) == Role::AttentionV; }));
    }

    ggml_type type_of(const TensorSpec& tensor) {
        if (!is_quantized(tensor)) {
            return GGML_TYPE_F32;
        }
        if (!ggml_is_quantized(quant_.base)) {
            return quant_.base;
        }
        return fitting_type(wanted_type(tensor), tensor.dims[0]);
    }

private:
    ggml_type wanted_type(const TensorSpec& tensor) {
        const Role role = role_of(tensor.name);
        if (role == Role::Output || (role == Role::Embedding && model_.tied_embeddings)) {
            return output_type(tensor.dims[0]);
        }
        if (quant_.base == GGML_TYPE_MXFP4) {
            return tensor.dims.size() > 2 ? GGML_TYPE_MXFP4 : GGML_TYPE_Q8_0;
        }
        switch (role) {
            case Role::Embedding:
                return quant_.base == GGML_TYPE_TQ2_0 ? GGML_TYPE_Q4_K : quant_.base;
            case Role::AttentionV:
                return attention_v_type(i_attention_v_++);
            case Role::AttentionK:
                return is_8_experts() ? GGML_TYPE_Q8_0 : quant_.base;
            case Role::AttentionOutput:
                return attention_output_type();
            case Role::FfnDown:
                return ffn_down_type(ffn_layer(tensor.name));
            default:
                return quant_.base;
        }
    }

    [[nodiscard]] ggml_type output_type(std::int64_t row) const {
        const bool wide = quant_.base == GGML_TYPE_MXFP4 || quant_.base == GGML_TYPE_Q8_0 ||
                          row % ggml_blck_size(quant_.base) != 0;
        return wide ? GGML_TYPE_Q8_0 : GGML_TYPE_Q6_K;
    }

    [[nodiscard]] ggml_type attention_v_type(int i) const {
        if (is_8_experts()) {
            return GGML_TYPE_Q8_0;
        }
        const ggml_type type = attention_v_base(i);
        const bool low = type == GGML_TYPE_Q3_K || type == GGML_TYPE_Q4_K;
        return is_70b() && low ? GGML_TYPE_Q5_K : type;
    }

    [[nodiscard]] ggml_type attention_v_base(int i) const {
        switch (quant_.file_type) {
            case FileType::Q2_K:
                return n_gqa() >= 4 ? GGML_TYPE_Q4_K : GGML_TYPE_Q3_K;
            case FileType::Q3_K_M:
                return i < 2 ? GGML_TYPE_Q5_K : GGML_TYPE_Q4_K;
            case FileType::Q3_K_L:
                return GGML_TYPE_Q5_K;
            case FileType::IQ4_XS:
                return n_gqa() >= 4 ? GGML_TYPE_Q5_K : quant_.base;
            case FileType::Q4_K_S:
                return i < 4 ? GGML_TYPE_Q5_K : quant_.base;
            case FileType::Q4_K_M:
            case FileType::Q5_K_M:
                return use_more_bits(i, n_attention_v_) ? GGML_TYPE_Q6_K : quant_.base;
            default:
                return quant_.base;
        }
    }

    [[nodiscard]] ggml_type attention_output_type() const {
        switch (quant_.file_type) {
            case FileType::Q2_K:
                return is_8_experts() ? GGML_TYPE_Q5_K : GGML_TYPE_Q3_K;
            case FileType::Q3_K_M:
                return is_8_experts() ? GGML_TYPE_Q5_K : GGML_TYPE_Q4_K;
            case FileType::Q3_K_L:
                return is_8_experts() ? quant_.base : GGML_TYPE_Q5_K;
            case FileType::Q3_K_S:
            case FileType::Q4_K_S:
            case FileType::Q4_K_M:
            case FileType::IQ4_XS:
                return is_8_experts() ? GGML_TYPE_Q5_K : quant_.base;
            default:
                return quant_.base;
        }
    }

    [[nodiscard]] ggml_type ffn_down_type(int i) const {
        switch (quant_.file_type) {
            case FileType::Q2_K:
                return GGML_TYPE_Q3_K;
            case FileType::Q3_K_M:
                return i < n_layer_ / 16 ? GGML_TYPE_Q5_K : GGML_TYPE_Q4_K;
            case FileType::Q3_K_L:
                return GGML_TYPE_Q5_K;
            case FileType::IQ4_XS:
            case FileType::Q4_K_S:
                return i < n_layer_ / 8 ? GGML_TYPE_Q5_K : quant_.base;
            case FileType::Q4_K_M:
            case FileType::Q5_K_M:
                return use_more_bits(i, n_layer_) ? GGML_TYPE_Q6_K : quant_.base;
            default:
                return quant_.base;
        }
    }

    // The layer of an FFN tensor: models with experts go by the name "blk.N.", the others count
    // ffn_down tensors.
    int ffn_layer(const std::string& name) {
        return model_.moe.n_expert > 1 ? std::stoi(name.substr(4)) : i_ffn_down_++;
    }

    // Query heads for each KV head of layer 0; 0: it has no KV heads. DeepSeek's cache has one
    // head.
    [[nodiscard]] int n_gqa() const {
        const bool by_layer = model_.arch == "granitehybrid" || model_.arch == "nemotron_h";
        if (by_layer && model_.layer_pattern.front() != '*') {
            return 0;
        }
        return model_.mla.kv_lora_rank > 0 ? model_.n_head : model_.n_head / model_.n_head_kv;
    }

    [[nodiscard]] bool is_8_experts() const { return model_.moe.n_expert == 8; }

    // Whether llama.cpp calls the model LLM_TYPE_70B.
    [[nodiscard]] bool is_70b() const {
        return model_.n_layer == 80 && (model_.arch == "llama" || model_.arch == "qwen2");
    }

    const ModelShape& model_;
    const Quant& quant_;
    int n_layer_;
    int n_attention_v_ = 0;
    int i_attention_v_ = 0;
    int i_ffn_down_ = 0;
};

}  // namespace

const std::vector<Quant>& all_quants() {
    static const std::vector<Quant> quants = {
        {"F16", GGML_TYPE_F16, FileType::F16},
        {"BF16", GGML_TYPE_BF16, FileType::BF16},
        {"Q8_0", GGML_TYPE_Q8_0, FileType::Q8_0},
        {"Q6_K", GGML_TYPE_Q6_K, FileType::Q6_K},
        {"Q5_K_M", GGML_TYPE_Q5_K, FileType::Q5_K_M},
        {"Q5_K_S", GGML_TYPE_Q5_K, FileType::Q5_K_S},
        {"Q5_0", GGML_TYPE_Q5_0, FileType::Q5_0},
        {"Q4_K_M", GGML_TYPE_Q4_K, FileType::Q4_K_M},
        {"Q4_K_S", GGML_TYPE_Q4_K, FileType::Q4_K_S},
        {"IQ4_XS", GGML_TYPE_IQ4_XS, FileType::IQ4_XS},
        {"Q4_0", GGML_TYPE_Q4_0, FileType::Q4_0},
        {"MXFP4", GGML_TYPE_MXFP4, FileType::MXFP4},
        {"Q3_K_L", GGML_TYPE_Q3_K, FileType::Q3_K_L},
        {"Q3_K_M", GGML_TYPE_Q3_K, FileType::Q3_K_M},
        {"Q3_K_S", GGML_TYPE_Q3_K, FileType::Q3_K_S},
        {"Q2_K", GGML_TYPE_Q2_K, FileType::Q2_K},
        {"TQ2_0", GGML_TYPE_TQ2_0, FileType::TQ2_0},
    };
    return quants;
}

Result<Quant> find_quant(const std::string& name) {
    const auto& quants = all_quants();
    const auto found = std::ranges::find(quants, name, &Quant::name);
    if (found == quants.end()) {
        return Error{fmt::format("quantization '{}' is not known; known are {}",
                                 name,
                                 fmt::join(quant_names(), ", ")),
                     {}};
    }
    return *found;
}

std::vector<ggml_type> assign_types(const ModelShape& model,
                                    const TensorList& tensors,
                                    const Quant& quant) {
    Mixture mixture(model, tensors, quant);
    std::vector<ggml_type> types;
    types.reserve(tensors.size());
    for (const TensorSpec& tensor : tensors) {
        types.push_back(mixture.type_of(tensor));
    }
    return types;
}

}  // namespace pshard::shapes

namespace pshard {

std::vector<std::string> quant_names() {
    std::vector<std::string> names;
    for (const shapes::Quant& quant : shapes::all_quants()) {
        names.push_back(quant.name);
    }
    return names;
}

}  // namespace pshard
