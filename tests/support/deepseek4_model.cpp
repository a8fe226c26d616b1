// Numbers: the public hyper-parameters of DeepSeek-V4-Flash; names of keys and tensors as
// src/models/deepseek4.cpp of llama.cpp v0.5.0 reads them.
#include "support/deepseek4_model.h"

#include <cstdint>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/temp_folder.h"
#include "capture/gguf_maker.h"

namespace pshard::testing_support {
namespace {

constexpr std::uint32_t kLayers = 43;
constexpr std::int64_t kWidth = 4096;
constexpr std::int64_t kVocabulary = 129280;
constexpr std::int64_t kExperts = 256;
constexpr std::int64_t kExpertWidth = 2048;
constexpr std::uint32_t kHashLayers = 3;  // first layers, which choose experts by the token

// A ggml type: its number, and the bytes of a block of values.
struct Type {
    std::uint32_t number;
    std::int64_t block;
    std::int64_t bytes;
};

constexpr Type kF32{0, 1, 4};
constexpr Type kQ8{8, 32, 34};
constexpr Type kQ2K{10, 256, 84};
constexpr Type kIQ2{16, 256, 66};
constexpr Type kI32{26, 1, 4};

struct Tensor {
    std::string name;
    std::vector<std::int64_t> shape;
    Type type;
};

// The tokens that a layer's cache has one cell for; 0: its cache is a window alone.
std::uint32_t compression(std::uint32_t layer) {
    if (layer < 2) return 0;
    return layer % 2 == 0 ? 4 : 128;
}

class Tensors {
public:
    std::vector<Tensor> run() {
        add("output.weight", {kWidth, kVocabulary}, kQ8);
        add("output_hc_base.weight", {4}, kF32);
        add("output_hc_fn.weight", {4 * kWidth, 4}, kQ8);
        add("output_hc_scale.weight", {1}, kF32);
        add("output_norm.weight", {kWidth}, kF32);
        add("token_embd.weight", {kWidth, kVocabulary}, kQ8);
        for (std::uint32_t layer = 0; layer < kLayers; ++layer) {
            prefix_ = fmt::format("blk.{}.", layer);
            add_attention();
            add_experts(layer);
            if (compression(layer) > 0) add_compressor(compression(layer));
        }
        return std::move(tensors_);
    }

private:
    void add(const std::string& name, std::vector<std::int64_t> shape, Type type) {
        tensors_.push_back({prefix_ + name, std::move(shape), type});
    }

    void add_attention() {
        add("attn_kv.weight", {kWidth, 512}, kQ8);
        add("attn_kv_a_norm.weight", {512}, kF32);
        add("attn_norm.weight", {kWidth}, kF32);
        add("attn_output_a.weight", {kWidth, 8192}, kQ8);
        add("attn_output_b.weight", {8192, kWidth}, kQ8);
        add("attn_q_a.weight", {kWidth, 1024}, kQ8);
        add("attn_q_a_norm.weight", {1024}, kF32);
        add("attn_q_b.weight", {1024, 32768}, kQ8);
        add("attn_sinks.weight", {64}, kF32);
        for (const char* part : {"attn", "ffn"}) {
            add(fmt::format("hc_{}_base.weight", part), {24}, kF32);
            add(fmt::format("hc_{}_fn.weight", part), {4 * kWidth, 24}, kQ8);
            add(fmt::format("hc_{}_scale.weight", part), {3}, kF32);
        }
    }

    void add_experts(std::uint32_t layer) {
        add("ffn_norm.weight", {kWidth}, kF32);
        add("ffn_gate_inp.weight", {kWidth, kExperts}, kF32);
        add("ffn_down_exps.weight", {kExpertWidth, kWidth, kExperts}, kQ2K);
        add("ffn_gate_exps.weight", {kWidth, kExpertWidth, kExperts}, kIQ2);
        add("ffn_up_exps.weight", {kWidth, kExpertWidth, kExperts}, kIQ2);
        add("ffn_down_shexp.weight", {kExpertWidth, kWidth}, kQ8);
        add("ffn_gate_shexp.weight", {kWidth, kExpertWidth}, kQ8);
        add("ffn_up_shexp.weight", {kWidth, kExpertWidth}, kQ8);
        if (layer < kHashLayers) {
            add("ffn_gate_tid2eid.weight", {6, kVocabulary}, kI32);
        } else {
            add("exp_probs_b.bias", {kExperts}, kF32);
        }
    }

    void add_compressor(std::int64_t ratio) {
        const bool indexed = ratio == 4;
        const std::int64_t width = indexed ? 1024 : 512;
        add("attn_compressor_ape.weight", {width, ratio}, kQ8);
        add("attn_compressor_gate.weight", {kWidth, width}, kQ8);
        add("attn_compressor_kv.weight", {kWidth, width}, kQ8);
        add("attn_compressor_norm.weight", {512}, kF32);
        if (!indexed) return;
        add("indexer.attn_q_b.weight", {1024, 8192}, kQ8);
        add("indexer.proj.weight", {kWidth, 64}, kQ8);
        add("indexer_compressor_ape.weight", {256, ratio}, kQ8);
        add("indexer_compressor_gate.weight", {kWidth, 256}, kQ8);
        add("indexer_compressor_kv.weight", {kWidth, 256}, kQ8);
        add("indexer_compressor_norm.weight", {128}, kF32);
    }

    std::string prefix_;
    std::vector<Tensor> tensors_;
};

// The keys, counted as they are added.
class Keys {
public:
    void word(const std::string& name, const std::string& value) {
        keys_.string(name, value);
        ++n_;
    }

    void integer(const std::string& name, std::uint32_t value) {
        keys_.integer("deepseek4." + name, value);
        ++n_;
    }

    void real(const std::string& name, float value) {
        keys_.key("deepseek4." + name, GgufType::F32).raw(value);
        ++n_;
    }

    void flag(const std::string& name, bool value) {
        keys_.key("deepseek4." + name, GgufType::Bool).raw<std::uint8_t>(value ? 1 : 0);
        ++n_;
    }

    template <typename T, typename ValueOf>
    void by_layer(const std::string& name, GgufType type, const ValueOf& value_of) {
        keys_.array("deepseek4." + name, type, kLayers);
        for (std::uint32_t layer = 0; layer < kLayers; ++layer) keys_.raw<T>(value_of(layer));
        ++n_;
    }

    [[nodiscard]] std::uint64_t size() const { return n_; }

    [[nodiscard]] const std::string& bytes() const { return keys_.bytes(); }

private:
    GgufMaker keys_;
    std::uint64_t n_ = 0;
};

void add_attention_keys(Keys& keys) {
    keys.integer("attention.head_count", 64);
    keys.integer("attention.head_count_kv", 1);
    keys.integer("attention.key_length", 512);
    keys.integer("attention.value_length", 512);
    keys.integer("attention.q_lora_rank", 1024);
    keys.integer("attention.sliding_window", 128);
    keys.integer("attention.indexer.head_count", 64);
    keys.integer("attention.indexer.key_length", 128);
    keys.integer("attention.indexer.top_k", 512);
    keys.integer("attention.output_group_count", 8);
    keys.integer("attention.output_lora_rank", 1024);
    keys.real("attention.layer_norm_rms_epsilon", 1e-6F);
    keys.real("attention.compress_rope_freq_base", 160000);
    keys.by_layer<std::uint32_t>("attention.compress_ratios", GgufType::U32, compression);
    keys.integer("rope.dimension_count", 64);
    keys.real("rope.freq_base", 10000);
}

Keys all_keys() {
    Keys keys;
    keys.word("general.architecture", "deepseek4");
    keys.word("general.name", "DeepSeek-V4-Flash");
    keys.word("tokenizer.ggml.model", "no_vocab");
    keys.integer("vocab_size", kVocabulary);
    keys.integer("block_count", kLayers);
    keys.integer("context_length", 1U << 20U);
    keys.integer("embedding_length", kWidth);
    keys.integer("feed_forward_length", kExpertWidth);
    add_attention_keys(keys);
    keys.integer("hyper_connection.count", 4);
    keys.integer("hyper_connection.sinkhorn_iterations", 20);
    keys.real("hyper_connection.epsilon", 1e-6F);
    keys.integer("hash_layer_count", kHashLayers);
    keys.integer("expert_count", kExperts);
    keys.integer("expert_used_count", 6);
    keys.integer("expert_feed_forward_length", kExpertWidth);
    keys.integer("expert_shared_count", 1);
    keys.integer("expert_gating_func", 4);
    keys.real("expert_weights_scale", 1.5F);
    keys.flag("expert_weights_norm", true);
    keys.by_layer<float>("swiglu_clamp_exp", GgufType::F32, [](std::uint32_t) { return 10.0F; });
    return keys;
}

std::filesystem::path written(const std::filesystem::path& path) {
    const std::vector<Tensor> tensors = Tensors().run();
    const Keys keys = all_keys();
    GgufMaker file;
    file.begin(tensors.size(), keys.size());
    for (const char byte : keys.bytes()) file.raw(byte);
    std::uint64_t offset = 0;
    for (const Tensor& tensor : tensors) {
        file.text(tensor.name).raw(static_cast<std::uint32_t>(tensor.shape.size()));
        std::int64_t values = 1;
        for (const std::int64_t extent : tensor.shape) {
            file.raw(extent);
            values *= extent;
        }
        file.raw(tensor.type.number).raw(offset);
        const std::int64_t bytes = values / tensor.type.block * tensor.type.bytes;
        offset = align_up(offset + static_cast<std::uint64_t>(bytes), 32);
    }
    const std::filesystem::path made = file.data(0).write(path);
    std::filesystem::resize_file(made, file.bytes().size() + offset);
    return made;
}

}  // namespace

std::filesystem::path deepseek4_model() {
    static const test::TempFolder folder;  // until this process ends
    static const std::filesystem::path path = written(folder / "DeepSeek-V4-Flash.gguf");
    return path;
}

}  // namespace pshard::testing_support
