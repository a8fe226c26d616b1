#include "backend/harness/lora.h"

#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "backend/harness/session.h"
#include "gguf.h"

namespace pshard::backend_test {
namespace {

constexpr std::int64_t kRank = 4;

struct FreeGgml {
    void operator()(gguf_context* gguf) const { gguf_free(gguf); }

    void operator()(ggml_context* context) const { ggml_free(context); }

    void operator()(FILE* file) const { std::fclose(file); }
};

using GgufPtr = std::unique_ptr<gguf_context, FreeGgml>;
using GgmlPtr = std::unique_ptr<ggml_context, FreeGgml>;
using FilePtr = std::unique_ptr<FILE, FreeGgml>;

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

// The file's context points to the tensor until it is written.
void add_tensor(gguf_context* gguf,
                ggml_context* context,
                const std::string& name,
                std::int64_t n_columns,
                std::int64_t n_rows) {
    static std::minstd_rand random(11);
    std::uniform_real_distribution<float> values(-0.1f, 0.1f);
    ggml_tensor* tensor = ggml_new_tensor_2d(context, GGML_TYPE_F32, n_columns, n_rows);
    ggml_set_name(tensor, name.c_str());
    auto* data = static_cast<float*>(tensor->data);
    for (std::int64_t i = 0; i < n_columns * n_rows; ++i) data[i] = values(random);
    gguf_add_tensor(gguf, tensor);
}

}  // namespace

llama_adapter_lora* add_random_lora(llama_model* model, const std::filesystem::path& model_file) {
    const GgufPtr source(
        gguf_init_from_file(model_file.c_str(), {.no_alloc = true, .ctx = nullptr}));
    require(source != nullptr, "the model's header cannot be read");
    const std::vector<Weight> weights = adapted_weights(source.get());
    if (weights.empty()) return nullptr;

    const GgmlPtr context(
        ggml_init({.mem_size = std::size_t{64} << 20U, .mem_buffer = nullptr, .no_alloc = false}));
    const GgufPtr adapter(gguf_init_empty());
    const char* architecture =
        gguf_get_val_str(source.get(), gguf_find_key(source.get(), "general.architecture"));
    gguf_set_val_str(adapter.get(), "general.type", "adapter");
    gguf_set_val_str(adapter.get(), "general.architecture", architecture);
    gguf_set_val_str(adapter.get(), "adapter.type", "lora");
    gguf_set_val_f32(adapter.get(), "adapter.lora.alpha", 8.0f);
    for (const Weight& weight : weights) {
        add_tensor(adapter.get(), context.get(), weight.name + ".lora_a", weight.n_in, kRank);
        add_tensor(adapter.get(), context.get(), weight.name + ".lora_b", kRank, weight.n_out);
    }
    const FilePtr file(std::tmpfile());
    require(file != nullptr && gguf_write_to_file_ptr(adapter.get(), file.get(), false),
            "the adapter cannot be written");
    std::rewind(file.get());
    return llama_adapter_lora_init_from_file_ptr(model, file.get());  // none for layers left out
}

}  // namespace pshard::backend_test
