#include "backend/harness/lora.h"

#include <string>
#include <vector>

#include "backend/harness/random_gguf.h"
#include "backend/harness/session.h"

namespace pshard::backend_test {
namespace {

constexpr std::int64_t kRank = 4;

struct Weight {
    std::string name;
    std::int64_t n_in = 0;
    std::int64_t n_out = 0;
};

bool is_adapted(const std::string& name) {
    for (const char* part : {".attn_q.weight", ".attn_output.weight", ".ffn_down.weight"}) {
        if (name.ends_with(part)) return true;
    }
    return false;
}

std::vector<Weight> adapted_weights(const gguf_context* model) {
    std::vector<Weight> weights;
    bool take = true;
    for (std::int64_t i = 0; i < gguf_get_n_tensors(model); ++i) {
        const std::string name = gguf_get_tensor_name(model, i);
        if (!is_adapted(name)) continue;
        const std::int64_t* shape = gguf_get_tensor_ne(model, i);
        if (take) weights.push_back({name, shape[0], shape[1]});
        take = !take;
    }
    return weights;
}

}  // namespace

llama_adapter_lora* add_random_lora(llama_model* model, const std::filesystem::path& model_file) {
    const GgufPtr source(
        gguf_init_from_file(model_file.c_str(), {.no_alloc = true, .ctx = nullptr}));
    require(source != nullptr, "the model's header cannot be read");
    const std::vector<Weight> weights = adapted_weights(source.get());
    if (weights.empty()) return nullptr;

    RandomGguf adapter;
    const char* architecture =
        gguf_get_val_str(source.get(), gguf_find_key(source.get(), "general.architecture"));
    gguf_set_val_str(adapter.header(), "general.type", "adapter");
    gguf_set_val_str(adapter.header(), "general.architecture", architecture);
    gguf_set_val_str(adapter.header(), "adapter.type", "lora");
    gguf_set_val_f32(adapter.header(), "adapter.lora.alpha", 8.0f);
    for (const Weight& weight : weights) {
        adapter.add(weight.name + ".lora_a", {weight.n_in, kRank});
        adapter.add(weight.name + ".lora_b", {kRank, weight.n_out});
    }
    const FilePtr file(std::tmpfile());
    require(file != nullptr && adapter.write(file.get()), "the adapter cannot be written");
    std::rewind(file.get());
    return llama_adapter_lora_init_from_file_ptr(model, file.get());  // none for layers left out
}

}  // namespace pshard::backend_test
