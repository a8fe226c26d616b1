// How llama.cpp is made to load a model without its weights.
//
// In:   the paths of a model's files, the virtual device, the spec of a context.
// Out:  a model whose tensors have sizes and places but no content; a context's parameters.
//
//     ensure_cpu_backend -> load_without_weights -> tensors_of
//     context_params -> llama_init_from_model, which the caller calls
//
// llama.cpp is told of one GPU, the virtual device, and of no_alloc: it lays out its buffers and
// takes no memory for them. It compiles every pattern of -ot anew for every tensor, and a class of
// characters costs std::regex as much as a hundred letters, so that classes are spelled out. Each
// parameter that decides a size follows from the spec, since the defaults of the library differ
// from those of its programs.
//
// Traps: llama.cpp reads the lists of devices and overrides up to an empty entry, and keeps
// pointers to the patterns while it loads. A context's n_batch is the spec's n_ubatch, since graphs
// are reserved for ubatches only. libllama exports the list of a model's tensors, but its public
// headers do not declare it.
#include "capture/llama_session.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <ggml-backend.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <iterator>
#include <string_view>

#include "ggml_kit/device.h"

// libllama exports this function and declares it in its internal llama-model.h, "for internal test
// use".
const pshard::NamedTensors& llama_internal_get_tensor_map(const llama_model* model);

namespace pshard {
namespace {

llama_flash_attn_type flash_attention_type(FlashAttention flash_attention) {
    switch (flash_attention) {
        case FlashAttention::Off:
            return LLAMA_FLASH_ATTN_TYPE_DISABLED;
        case FlashAttention::On:
            return LLAMA_FLASH_ATTN_TYPE_ENABLED;
        case FlashAttention::Auto:
            break;
    }
    return LLAMA_FLASH_ATTN_TYPE_AUTO;
}

// The characters of a class of plain characters and ranges of them, "3-5" or "."; empty: it is
// another class.
std::string characters_of(std::string_view inside) {
    if (inside.find_first_of("^[\\") != std::string_view::npos) return "";
    std::string characters;
    for (std::size_t i = 0; i < inside.size(); ++i) {
        const bool range = i + 2 < inside.size() && inside[i + 1] == '-';
        const char last = range ? inside[i + 2] : inside[i];
        if (last < inside[i]) return "";  // an error, which std::regex is to tell
        for (char c = inside[i]; c < last; ++c) characters += c;
        characters += last;
        if (range) i += 2;
    }
    return characters;
}

std::string escaped(char c) {
    const bool is_plain = std::isalnum(static_cast<unsigned char>(c)) != 0;
    return is_plain ? std::string(1, c) : std::string("\\") + c;
}

bool has_cpu_backend() { return ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU) != nullptr; }

}  // namespace

std::string spelled_out(const std::string& pattern) {
    std::string plain;
    std::string_view left = pattern;
    while (!left.empty()) {
        const std::size_t open = left.find('[');
        plain += left.substr(0, open);
        if (open == std::string_view::npos) break;
        const std::size_t close = left.find(']', open);
        if (close == std::string_view::npos || left.substr(0, open).ends_with('\\')) return pattern;
        const std::string characters = characters_of(left.substr(open + 1, close - open - 1));
        if (characters.empty()) return pattern;
        std::vector<std::string> words;
        std::ranges::transform(characters, std::back_inserter(words), escaped);
        plain += words.size() == 1 ? words[0] : fmt::format("(?:{})", fmt::join(words, "|"));
        left.remove_prefix(close + 1);
    }
    return plain;
}

Status ensure_cpu_backend(const std::string& directory) {
    if (has_cpu_backend()) return Done{};
    if (directory.empty()) {
        ggml_backend_load_all();
    } else {
        const std::string library = directory + "/libggml-cpu.so";
        std::error_code unseen;
        if (std::filesystem::exists(library, unseen)) {
            ggml_backend_load(library.c_str());
        } else {
            ggml_backend_load_all_from_path(directory.c_str());
        }
    }
    if (has_cpu_backend()) return Done{};
    return Error{fmt::format("ggml has no CPU backend: libggml-cpu*.so was not found in {}",
                             directory.empty() ? "the program's folder" : directory),
                 {}};
}

ModelPtr load_without_weights(const std::vector<std::string>& paths,
                              VirtualDevice& device,
                              const LoadOptions& options) {
    std::vector<std::string> patterns;
    std::ranges::transform(options.cpu_patterns, std::back_inserter(patterns), spelled_out);
    std::vector<llama_model_tensor_buft_override> overrides;
    for (const std::string& pattern : patterns) {
        overrides.push_back({pattern.c_str(), ggml_backend_cpu_buffer_type()});
    }
    overrides.push_back({nullptr, nullptr});
    ggml_backend_dev_t devices[] = {device.device(), nullptr};
    llama_model_params params = llama_model_default_params();
    params.devices = devices;
    params.n_gpu_layers = options.n_gpu_layers;
    params.tensor_buft_overrides = overrides.data();
    params.split_mode = LLAMA_SPLIT_MODE_LAYER;
    params.load_mode = LLAMA_LOAD_MODE_NONE;
    params.no_alloc = true;
    params.load_mtp = options.load_mtp;
    params.use_extra_bufts = false;
    params.progress_callback = [](float, void*) { return true; };
    if (paths.size() == 1) return ModelPtr(llama_model_load_from_file(paths[0].c_str(), params));
    std::vector<const char*> names;
    for (const std::string& path : paths) names.push_back(path.c_str());
    return ModelPtr(llama_model_load_from_splits(names.data(), names.size(), params));
}

Result<llama_context_params> context_params(const ContextSpec& spec) {
    const auto type_k = ggml_type_of(spec.type_k);
    const auto type_v = ggml_type_of(spec.type_v);
    if (!type_k || !type_v) {
        return Error{fmt::format("'{}' is no ggml type; -ctk and -ctv take f16, q8_0, q4_0 ...",
                                 type_k ? spec.type_v : spec.type_k),
                     {}};
    }
    llama_context_params params = llama_context_default_params();
    params.n_ctx = spec.n_ctx;
    params.n_batch = spec.n_ubatch;
    params.n_ubatch = spec.n_ubatch;
    params.n_seq_max = spec.n_seq_max;
    // Every sequence has at least one row.
    params.n_outputs_max = std::max(output_rows(spec, spec.n_ubatch), spec.n_seq_max);
    params.n_outputs_max_per_seq = 0;
    params.n_threads = 1;
    params.n_threads_batch = 1;
    params.flash_attn_type = flash_attention_type(spec.flash_attention);
    params.type_k = *type_k;
    params.type_v = *type_v;
    params.offload_kqv = true;
    params.op_offload = false;
    params.swa_full = spec.swa_full;
    params.kv_unified = spec.kv_unified;
    params.no_perf = true;
    return params;
}

const NamedTensors& tensors_of(const llama_model* model) {
    return llama_internal_get_tensor_map(model);
}

}  // namespace pshard
