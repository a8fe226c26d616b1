#include "models/arch.h"

#include <algorithm>

#include <fmt/format.h>

namespace pshard::shapes {
namespace {

Result<Arch> find_arch(const std::string& name) {
    const auto& archs = all_archs();
    const auto found = std::ranges::find(archs, name, &Arch::name);
    if (found == archs.end()) {
        return Error{fmt::format("architecture '{}' is not known to pshard-make-model", name), {}};
    }
    return *found;
}

void add_rope_keys(Header& header, const ModelShape& model) {
    header.u32("%.rope.dimension_count", rope_dim(model));
    header.f32("%.rope.freq_base", model.rope_base);
    const RopeScaling& scaling = model.rope_scaling;
    if (scaling.type.empty()) {
        return;
    }
    header.text("%.rope.scaling.type", scaling.type);
    header.f32("%.rope.scaling.factor", scaling.factor);
    if (scaling.n_ctx_orig > 0) {
        header.u32("%.rope.scaling.original_context_length", scaling.n_ctx_orig);
    }
    if (scaling.yarn_log_multiplier > 0) {
        header.f32("%.rope.scaling.yarn_log_multiplier", scaling.yarn_log_multiplier);
    }
}

// Adds the keys that every architecture reads; its own function may write one again.
void common_keys(Header& header, const ModelShape& model) {
    header.text("general.architecture", model.arch);
    header.text("general.type", "model");
    header.text("general.name", model.name);
    header.u32("%.vocab_size", model.n_vocab);
    header.u32("%.context_length", model.n_ctx_train);
    header.u32("%.embedding_length", model.n_embd);
    header.u32("%.block_count", model.n_layer + model.n_nextn);
    header.u32("%.feed_forward_length", model.n_ff);
    header.u32("%.attention.head_count", model.n_head);
    header.u32("%.attention.head_count_kv", model.n_head_kv);
    header.u32("%.attention.key_length", head_dim(model));
    header.u32("%.attention.value_length", head_dim(model));
    header.f32("%.attention.layer_norm_rms_epsilon", model.norm_eps);
    add_rope_keys(header, model);
    if (model.moe.n_expert > 0) {
        header.u32("%.expert_count", model.moe.n_expert);
        header.u32("%.expert_used_count", model.moe.n_expert_used);
    }
}

// Adds what makes a layer at the end predict the token after the next one.
void add_nextn(Layer& layer) {
    const ModelShape& m = layer.model;
    layer.weight("nextn.eh_proj", {std::int64_t{2} * m.n_embd, m.n_embd});
    layer.weight("nextn.embed_tokens", {m.n_embd, m.n_vocab});
    layer.weight("nextn.enorm", {m.n_embd});
    layer.weight("nextn.hnorm", {m.n_embd});
    layer.weight("nextn.shared_head_head", {m.n_embd, m.n_vocab});
    layer.weight("nextn.shared_head_norm", {m.n_embd});
}

}  // namespace

const std::vector<Arch>& all_archs() {
    static const std::vector<Arch> archs = {
        {"llama", no_keys, llama_layer},
        {"qwen2", no_keys, llama_layer},
        {"qwen3", no_keys, qwen3_layer},
        {"gemma3", gemma3_keys, gemma3_layer},
        {"phi3", no_keys, phi3_layer},
        {"command-r", command_r_keys, command_r_layer},
        {"qwen3moe", add_moe_keys, qwen3moe_layer},
        {"gpt-oss", gpt_oss_keys, gpt_oss_layer},
        {"deepseek2", deepseek2_keys, deepseek2_layer},
        {"mistral4", deepseek2_keys, deepseek2_layer},
        {"glm4moe", glm4moe_keys, glm4moe_layer},
        {"llama4", llama4_keys, llama4_layer},
        {"qwen3next", qwen3next_keys, qwen3next_layer},
        {"qwen35moe", qwen35moe_keys, qwen35moe_layer},
        {"granitehybrid", granitehybrid_keys, granitehybrid_layer},
        {"falcon-h1", falcon_h1_keys, falcon_h1_layer},
        {"nemotron_h", nemotron_h_keys, nemotron_h_layer},
        {"eagle3", draft_keys, eagle3_layer},
        {"dflash", draft_keys, qwen3_layer},
    };
    return archs;
}

Status check_sizes(const ModelShape& model) {
    const auto wrong = [&](const std::string& what) {
        return Error{fmt::format("model '{}': {}", model.name, what), {}};
    };
    if (model.n_layer < 1 || model.n_embd < 1 || model.n_head < 1 || model.n_head_kv < 1) {
        return wrong("layers, width and heads must be at least 1");
    }
    if (model.n_head % model.n_head_kv != 0) {
        return wrong(
            fmt::format("{} heads cannot share {} KV heads", model.n_head, model.n_head_kv));
    }
    if (model.moe.n_expert_used > model.moe.n_expert) {
        return wrong(
            fmt::format("{} experts are used of {}", model.moe.n_expert_used, model.moe.n_expert));
    }
    const size_t n_signs = model.layer_pattern.size();
    if (n_signs > 0 && n_signs != static_cast<size_t>(model.n_layer)) {
        return wrong(
            fmt::format("its layer pattern has {} signs for {} layers", n_signs, model.n_layer));
    }
    return Done{};
}

Status add_model_keys(Header& header, const ModelShape& model) {
    const Result<Arch> arch = find_arch(model.arch);
    if (!arch) {
        return arch.error();
    }
    common_keys(header, model);
    arch.value().keys(header, model);
    return Done{};
}

Result<TensorList> list_tensors(const ModelShape& model) {
    const Result<Arch> arch = find_arch(model.arch);
    if (!arch) {
        return arch.error();
    }
    TensorList list;
    const bool drafts = !model.draft.target_layers.empty();
    if (!drafts) list.push_back({"token_embd.weight", {model.n_embd, model.n_vocab}});
    list.push_back({"output_norm.weight", {model.n_embd}});
    if (drafts) add_draft_parts(list, model);
    if (!model.tied_embeddings) {
        list.push_back({"output.weight", {model.n_embd, model.n_vocab}});
    }
    if (model.rope_factors) {
        list.push_back({"rope_freqs.weight", {rope_dim(model) / 2}});
    }
    for (int index = 0; index < model.n_layer + model.n_nextn; ++index) {
        Layer layer(list, model, index);
        arch.value().layer(layer);
        if (index >= model.n_layer) add_nextn(layer);
    }
    return list;
}

int head_dim(const ModelShape& model) {
    return model.head_dim > 0 ? model.head_dim : model.n_embd / model.n_head;
}

int rope_dim(const ModelShape& model) {
    return model.rope_dim > 0 ? model.rope_dim : head_dim(model);
}

char layer_kind(const ModelShape& model, int layer) {
    const auto index = static_cast<size_t>(layer);
    return index < model.layer_pattern.size() ? model.layer_pattern[index] : '*';
}

}  // namespace pshard::shapes
