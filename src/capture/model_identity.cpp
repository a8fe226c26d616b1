#include "capture/gguf_header.h"

#include <fmt/format.h>

#include <limits>
#include <tuple>

#include "base/visible.h"

namespace pshard {
namespace {

// LLAMA_MAX_LAYERS and LLAMA_MAX_EXPERTS (src/llama-hparams.h of llama.cpp v0.5.0), which asserts
// them.
constexpr std::uint64_t kMaxLayers = 512;
constexpr std::uint64_t kMaxExperts = 1024;

// A figure of the architecture, "ARCH.name"; 0 if it is missing or too large to be a count.
std::uint64_t figure(const GgufHeader& file, std::string_view name) {
    const auto architecture = file.string("general.architecture").value_or("");
    const auto value = file.integer(fmt::format("{}.{}", architecture, name)).value_or(0);
    return value <= std::numeric_limits<std::int32_t>::max() ? value : 0;
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
    const std::uint64_t n_layers =
        first.integer(fmt::format("{}.block_count", inventory.architecture)).value_or(0);
    if (n_layers == 0) {
        return Error{fmt::format("says that it has 0 layers ({}.block_count): it is no language "
                                 "model, or damaged",
                                 visible(inventory.architecture)),
                     {first.path}};
    }
    const std::uint64_t n_experts =
        first.integer(fmt::format("{}.expert_count", inventory.architecture)).value_or(0);
    for (const auto& [n, most, what] : {std::tuple(n_layers, kMaxLayers, "layers"),
                                        std::tuple(n_experts, kMaxExperts, "experts in a layer")}) {
        if (n <= most) continue;
        return Error{
            fmt::format("says that it has {} {}, and llama.cpp v0.5.0 runs at most {}: the "
                        "file is damaged, or made for another program",
                        n,
                        what,
                        most),
            {first.path}};
    }
    inventory.file_bytes = first.file_bytes();
    for (const GgufHeader& file : files) inventory.total_file_bytes += file.file_bytes();
    inventory.header_hash = tensors_hash(files).value;
    inventory.n_layers = static_cast<int>(n_layers);
    inventory.n_experts = static_cast<int>(figure(first, "expert_count"));
    inventory.n_experts_used = static_cast<int>(figure(first, "expert_used_count"));
    inventory.n_ctx_train = static_cast<std::uint32_t>(figure(first, "context_length"));
    return inventory;
}

}  // namespace pshard
