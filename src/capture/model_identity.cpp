#include "capture/gguf_header.h"

#include <fmt/format.h>

#include <array>
#include <limits>

#include "base/visible.h"

namespace pshard {
namespace {

// Figures of a header that llama.cpp v0.5.0 asserts.
struct Figures {
    std::uint64_t layers = 0;
    std::uint64_t nextn = 0;  // layers of these that draft
    std::uint64_t experts = 0;
    std::uint64_t used = 0;    // experts for a token, in the layer with the most
    std::uint64_t groups = 0;  // of experts
    std::uint64_t used_groups = 0;
};

struct Rule {
    bool (*holds)(const Figures&);
    const char* fault;  // with the figures, by their names
};

// llama_model_base::load_hparams (src/llama-model.cpp); LLAMA_MAX_LAYERS and LLAMA_MAX_EXPERTS
// (src/llama-hparams.h). The first that does not hold tells most.
constexpr std::array kRules = {
    Rule{[](const Figures& f) { return f.layers <= 512; },
         "{layers} layers, and llama.cpp v0.5.0 runs at most 512"},
    Rule{[](const Figures& f) { return f.nextn <= f.layers; },
         "{nextn} MTP layers (nextn_predict_layers) among {layers} layers"},
    Rule{[](const Figures& f) { return f.experts <= 1024; },
         "{experts} experts in a layer, and llama.cpp v0.5.0 runs at most 1024"},
    Rule{[](const Figures& f) { return f.used <= f.experts; },
         "{experts} experts (expert_count), and {used} for each token (expert_used_count)"},
    Rule{[](const Figures& f) { return f.experts == 0 || f.used > 0; },
         "{experts} experts (expert_count), and none for a token (expert_used_count)"},
    Rule{[](const Figures& f) { return f.groups == 0 || f.groups < f.experts; },
         "{experts} experts in {groups} groups (expert_group_count)"},
    Rule{[](const Figures& f) { return f.groups <= 1 || f.experts % f.groups == 0; },
         "{experts} experts in {groups} groups of one size (expert_group_count)"},
    Rule{[](const Figures& f) {
             return f.groups <= 1 || (f.used_groups > 0 && f.used_groups < f.groups);
         },
         "{groups} groups of experts, and {used_groups} for a token (expert_group_used_count)"}};

// A figure of the architecture, "ARCH.name"; 0 if it is missing.
std::uint64_t figure(const GgufHeader& file, std::string_view name) {
    const auto architecture = file.string("general.architecture").value_or("");
    return file.integer(fmt::format("{}.{}", architecture, name)).value_or(0);
}

Figures figures_of(const GgufHeader& file) {
    Figures figures{figure(file, "block_count"),
                    figure(file, "nextn_predict_layers"),
                    figure(file, "expert_count"),
                    figure(file, "expert_used_count"),
                    figure(file, "expert_group_count"),
                    figure(file, "expert_group_used_count")};
    // One expert is none to these.
    const bool is_hunyuan = file.string("general.architecture").value_or("").starts_with("hunyuan");
    if (is_hunyuan && figures.experts <= 1) figures.experts = figures.used = 0;
    return figures;
}

Status check_figures(const Figures& f, const std::string& path) {
    for (const Rule& rule : kRules) {
        if (rule.holds(f)) continue;
        const std::string fault = fmt::format(fmt::runtime(rule.fault),
                                              fmt::arg("layers", f.layers),
                                              fmt::arg("nextn", f.nextn),
                                              fmt::arg("experts", f.experts),
                                              fmt::arg("used", f.used),
                                              fmt::arg("groups", f.groups),
                                              fmt::arg("used_groups", f.used_groups));
        return Error{fmt::format("says that it has {}: the file is damaged, or made for another "
                                 "program",
                                 fault),
                     {path}};
    }
    return Done{};
}

}  // namespace

Hash64 tensors_hash(const std::vector<GgufHeader>& files) {
    std::string text;
    for (const GgufHeader& file : files) {
        for (const GgufTensor& tensor : file.tensors) {
            text += tensor.name;
            text += fmt::format(" {} {} {} {} {}\n",
                                tensor.type,
                                tensor.shape[0],
                                tensor.shape[1],
                                tensor.shape[2],
                                tensor.shape[3]);
        }
    }
    return text_hash(text);
}

Result<Inventory> identify_model(const std::vector<GgufHeader>& files) {
    const GgufHeader& first = files.front();
    Inventory inventory;
    inventory.model_name = first.string("general.name").value_or("");
    inventory.architecture = first.string("general.architecture").value_or("");
    if (inventory.architecture.empty()) {
        return Error{"names no architecture (general.architecture): it is no language model",
                     {first.path}};
    }
    const Figures figures = figures_of(first);
    if (figures.layers == 0) {
        return Error{fmt::format("says that it has 0 layers ({}.block_count): it is no language "
                                 "model, or damaged",
                                 visible(inventory.architecture)),
                     {first.path}};
    }
    if (Status sound = check_figures(figures, first.path); !sound) return sound.error();
    const std::uint64_t n_ctx = figure(first, "context_length");
    inventory.file_bytes = first.file_bytes();
    for (const GgufHeader& file : files) inventory.total_file_bytes += file.file_bytes();
    inventory.header_hash = tensors_hash(files).value;
    inventory.n_layers = static_cast<int>(figures.layers);
    inventory.n_experts = static_cast<int>(figures.experts);
    inventory.n_experts_used = static_cast<int>(figures.used);
    if (n_ctx <= std::numeric_limits<std::int32_t>::max()) {
        inventory.n_ctx_train = static_cast<std::uint32_t>(n_ctx);
    }
    return inventory;
}

}  // namespace pshard
