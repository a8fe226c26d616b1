#include "backend/harness/random_gguf.h"

namespace pshard::backend_test {

RandomGguf::RandomGguf()
    : gguf_(gguf_init_empty()),
      context_(ggml_init(
          {.mem_size = std::size_t{64} << 20U, .mem_buffer = nullptr, .no_alloc = false})) {}

void RandomGguf::add(const std::string& name,
                     const std::vector<std::int64_t>& shape,
                     float centre) {
    std::uniform_real_distribution<float> values(centre - 0.1f, centre + 0.1f);
    ggml_tensor* tensor = ggml_new_tensor(
        context_.get(), GGML_TYPE_F32, static_cast<int>(shape.size()), shape.data());
    ggml_set_name(tensor, name.c_str());
    auto* data = static_cast<float*>(tensor->data);
    for (std::int64_t i = 0; i < ggml_nelements(tensor); ++i) data[i] = values(random_);
    gguf_add_tensor(gguf_.get(), tensor);
}

bool RandomGguf::write(FILE* file) const {
    return gguf_write_to_file_ptr(gguf_.get(), file, /*only_meta=*/false);
}

}  // namespace pshard::backend_test
