#include "models/header.h"

namespace pshard::shapes {

std::string Header::full(const std::string& key) const {
    return key.starts_with('%') ? arch_ + key.substr(1) : key;
}

void Header::u16(const std::string& key, std::uint16_t value) {
    gguf_set_val_u16(gguf_.get(), full(key).c_str(), value);
}

void Header::u32(const std::string& key, std::int64_t value) {
    gguf_set_val_u32(gguf_.get(), full(key).c_str(), static_cast<std::uint32_t>(value));
}

void Header::i32(const std::string& key, std::int32_t value) {
    gguf_set_val_i32(gguf_.get(), full(key).c_str(), value);
}

void Header::f32(const std::string& key, float value) {
    gguf_set_val_f32(gguf_.get(), full(key).c_str(), value);
}

void Header::flag(const std::string& key, bool value) {
    gguf_set_val_bool(gguf_.get(), full(key).c_str(), value);
}

void Header::text(const std::string& key, const std::string& value) {
    gguf_set_val_str(gguf_.get(), full(key).c_str(), value.c_str());
}

void Header::texts(const std::string& key, const std::vector<std::string>& values) {
    std::vector<const char*> pointers;
    pointers.reserve(values.size());
    for (const std::string& value : values) {
        pointers.push_back(value.c_str());
    }
    gguf_set_arr_str(gguf_.get(), full(key).c_str(), pointers.data(), pointers.size());
}

void Header::i32s(const std::string& key, const std::vector<std::int32_t>& values) {
    gguf_set_arr_data(
        gguf_.get(), full(key).c_str(), GGUF_TYPE_INT32, values.data(), values.size());
}

void Header::f32s(const std::string& key, const std::vector<float>& values) {
    gguf_set_arr_data(
        gguf_.get(), full(key).c_str(), GGUF_TYPE_FLOAT32, values.data(), values.size());
}

void Header::tensor(const TensorSpec& spec, ggml_type type) {
    // gguf_add_tensor copies the struct, so the ggml context need not outlive this call.
    const ggml_init_params params{2 * ggml_tensor_overhead(), nullptr, true};
    const std::unique_ptr<ggml_context, GgmlFree> ggml(ggml_init(params));
    const int n_dims = static_cast<int>(spec.dims.size());
    ggml_tensor* tensor = ggml_new_tensor(ggml.get(), type, n_dims, spec.dims.data());
    ggml_set_name(tensor, spec.name.c_str());
    gguf_add_tensor(gguf_.get(), tensor);
}

std::vector<std::byte> Header::bytes() const {
    std::vector<std::byte> bytes(gguf_get_meta_size(gguf_.get()));
    gguf_get_meta_data(gguf_.get(), bytes.data());
    return bytes;
}

Bytes Header::data_bytes() const {
    const std::int64_t n_tensors = gguf_get_n_tensors(gguf_.get());
    if (n_tensors == 0) {
        return 0;
    }
    const std::int64_t last = n_tensors - 1;
    return gguf_get_tensor_offset(gguf_.get(), last) +
           align_up(gguf_get_tensor_size(gguf_.get(), last), gguf_get_alignment(gguf_.get()));
}

}  // namespace pshard::shapes
