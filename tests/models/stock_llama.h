// Stock llama.cpp on the CPU, for tests that hand it our files.
#pragma once

#include "base/temp_folder.h"
#include "build_paths.h"
#include "ggml-backend.h"
#include "llama-ext.h"
#include "llama.h"
#include "support/testing.h"

namespace pshard::stock {

struct Free {
    void operator()(llama_model* model) const { llama_model_free(model); }

    void operator()(llama_context* context) const { llama_free(context); }
};

using Model = std::unique_ptr<llama_model, Free>;
using Context = std::unique_ptr<llama_context, Free>;

inline void log_errors(ggml_log_level level, const char* text, void*) {
    if (level == GGML_LOG_LEVEL_ERROR) {
        fmt::print(stderr, "{}", text);
    }
}

inline llama_model_params cpu_params() {
    static const bool loaded = [] {
        llama_log_set(log_errors, nullptr);
        ggml_backend_load_all_from_path(PSHARD_LLAMA_BIN_DIR);
        return true;
    }();
    EXPECT_TRUE(loaded);
    static ggml_backend_dev_t devices[] = {ggml_backend_dev_by_name("CPU"), nullptr};
    llama_model_params params = llama_model_default_params();
    params.devices = devices;
    params.n_gpu_layers = 0;
    return params;
}

// The model without memory for its weights. Null if llama.cpp refuses the file.
inline Model load_shape(const std::filesystem::path& path) {
    llama_model_params params = cpu_params();
    params.no_alloc = true;
    params.load_mode = LLAMA_LOAD_MODE_NONE;
    return Model(llama_model_load_from_file(path.c_str(), params));
}

inline Model load_weights(const std::filesystem::path& path) {
    return Model(llama_model_load_from_file(path.c_str(), cpu_params()));
}

inline Context new_context(const Model& model, uint32_t n_ctx) {
    llama_context_params params = llama_context_default_params();
    params.n_ctx = n_ctx;
    params.n_threads = 1;
    params.n_threads_batch = 1;
    return Context(llama_init_from_model(model.get(), params));
}

}  // namespace pshard::stock
