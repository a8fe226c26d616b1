// A GGUF file of random tensors: what goes with a model, such as an adapter or a vision projector.
#pragma once

#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <ggml.h>

#include "gguf.h"

namespace pshard::backend_test {

struct FreeGgml {
    void operator()(gguf_context* gguf) const { gguf_free(gguf); }

    void operator()(ggml_context* context) const { ggml_free(context); }

    void operator()(FILE* file) const { std::fclose(file); }
};

using GgufPtr = std::unique_ptr<gguf_context, FreeGgml>;
using GgmlPtr = std::unique_ptr<ggml_context, FreeGgml>;
using FilePtr = std::unique_ptr<FILE, FreeGgml>;

class RandomGguf {
public:
    RandomGguf();

    // For gguf_set_val_*.
    [[nodiscard]] gguf_context* header() const { return gguf_.get(); }

    // F32, each value up to 0.1 from `centre`; `shape` as ggml has it, 64 MiB of all tensors.
    void add(const std::string& name, const std::vector<std::int64_t>& shape, float centre = 0.0f);

    // False: it cannot be written.
    [[nodiscard]] bool write(FILE* file) const;

private:
    GgufPtr gguf_;
    GgmlPtr context_;  // of the tensors, which the file's header points to
    std::minstd_rand random_{11};
};

}  // namespace pshard::backend_test
