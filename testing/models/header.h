// A GGUF header under construction, over ggml's own writer (gguf.h): keys and tensor infos.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/units.h"
#include "ggml.h"
#include "gguf.h"
#include "models/tensor_list.h"

namespace pshard::shapes {

struct GgufFree {
    void operator()(gguf_context* gguf) const { gguf_free(gguf); }
};

struct GgmlFree {
    void operator()(ggml_context* ggml) const { ggml_free(ggml); }
};

class Header {
public:
    // `arch` is what stands for '%' in keys: "%.block_count" becomes "llama.block_count".
    explicit Header(std::string arch) : arch_(std::move(arch)), gguf_(gguf_init_empty()) {}

    void u16(const std::string& key, std::uint16_t value);
    void u32(const std::string& key, std::int64_t value);
    void i32(const std::string& key, std::int32_t value);
    void f32(const std::string& key, float value);
    void flag(const std::string& key, bool value);
    void text(const std::string& key, const std::string& value);
    void texts(const std::string& key, const std::vector<std::string>& values);
    void i32s(const std::string& key, const std::vector<std::int32_t>& values);
    void f32s(const std::string& key, const std::vector<float>& values);

    // The next tensor; its data follows that of the last one, padded to GGUF's alignment.
    void tensor(const TensorSpec& spec, ggml_type type);

    [[nodiscard]] const gguf_context* gguf() const { return gguf_.get(); }

    [[nodiscard]] std::vector<std::byte> bytes() const;  // the header as in the file, padded
    [[nodiscard]] Bytes data_bytes() const;              // of all tensors, padded

private:
    [[nodiscard]] std::string full(const std::string& key) const;

    std::string arch_;
    std::unique_ptr<gguf_context, GgufFree> gguf_;
};

}  // namespace pshard::shapes
