#include "backend/harness/projector.h"

#include <array>
#include <string_view>

#include <fmt/format.h>

#include "backend/harness/random_gguf.h"
#include "base/result.h"
#include "models/shapes.h"

namespace pshard::backend_test {
namespace {

constexpr int kEmbd = 64;
constexpr int kFf = 128;
constexpr int kLayers = 2;
constexpr int kImage = 112;
constexpr int kPatch = 14;

void set_header(gguf_context* gguf, int n_embd) {
    const std::string prefix = "clip.vision.";
    const auto set_number = [&](const char* key, int value) {
        gguf_set_val_u32(gguf, (prefix + key).c_str(), static_cast<std::uint32_t>(value));
    };
    constexpr std::array<float, 3> kHalf = {0.5f, 0.5f, 0.5f};
    for (const char* key : {"image_mean", "image_std"}) {
        gguf_set_arr_data(
            gguf, (prefix + key).c_str(), GGUF_TYPE_FLOAT32, kHalf.data(), kHalf.size());
    }
    gguf_set_val_str(gguf, "general.architecture", "clip");
    gguf_set_val_bool(gguf, "clip.has_vision_encoder", true);
    gguf_set_val_str(gguf, "clip.projector_type", "gemma3");
    gguf_set_val_bool(gguf, "clip.use_gelu", true);
    gguf_set_val_f32(gguf, "clip.vision.attention.layer_norm_epsilon", 1e-6f);
    set_number("attention.head_count", 4);
    set_number("embedding_length", kEmbd);
    set_number("feed_forward_length", kFf);
    set_number("block_count", kLayers);
    set_number("projection_dim", n_embd);
    set_number("image_size", kImage);
    set_number("patch_size", kPatch);
}

void add_layer(RandomGguf& file, const std::string& prefix) {
    const auto add = [&](const char* name, int n_in, int n_out) {
        file.add(prefix + name + ".weight", {n_in, n_out});
        file.add(prefix + name + ".bias", {n_out});
    };
    for (const char* name : {"attn_q", "attn_k", "attn_v", "attn_out"}) add(name, kEmbd, kEmbd);
    add("ffn_up", kEmbd, kFf);
    add("ffn_down", kFf, kEmbd);
    for (const char* name : {"ln1", "ln2"}) {
        file.add(prefix + name + ".weight", {kEmbd}, 1.0f);
        file.add(prefix + name + ".bias", {kEmbd});
    }
}

}  // namespace

void write_random_projector(const std::string& path, const std::string& arch) {
    const Result<ModelShape> model = find_tiny_shape(arch);
    PSHARD_CHECK(model.ok());
    const int n_embd = static_cast<int>(model.value().n_embd);
    RandomGguf file;
    set_header(file.header(), n_embd);
    constexpr int kPatches = (kImage / kPatch) * (kImage / kPatch);
    file.add("v.patch_embd.weight", {kPatch, kPatch, 3, kEmbd});
    file.add("v.patch_embd.bias", {kEmbd});
    file.add("v.position_embd.weight", {kEmbd, kPatches});
    for (int i = 0; i < kLayers; ++i) add_layer(file, fmt::format("v.blk.{}.", i));
    file.add("v.post_ln.weight", {kEmbd}, 1.0f);
    file.add("v.post_ln.bias", {kEmbd});
    file.add("mm.input_projection.weight", {n_embd, kEmbd});
    file.add("mm.soft_emb_norm.weight", {kEmbd}, 1.0f);
    const FilePtr out(std::fopen(path.c_str(), "wb"));
    PSHARD_CHECK(out != nullptr && file.write(out.get()));
}

// Netpbm's P6: a header of 12 bytes, and three bytes for each pixel, which are four letters.
std::string picture(unsigned seed) {
    constexpr std::string_view kLetters =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::minstd_rand random(seed);
    std::string base64 = "UDYgIDggOCAyNTUK";  // "P6  8 8 255\n"
    for (int i = 0; i < 4 * 8 * 8; ++i) base64 += kLetters[random() % kLetters.size()];
    return base64;
}

}  // namespace pshard::backend_test
