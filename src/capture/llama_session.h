// A model and a context of llama.cpp on a virtual device, nothing allocated.
//
// For the capture only: every call must be made under a LogCapture, and llama.cpp may throw.
#pragma once

#include <llama-ext.h>
#include <llama.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "capture/virtual_device.h"
#include "inventory/context_spec.h"

namespace pshard {

struct ModelDeleter {
    void operator()(llama_model* model) const { llama_model_free(model); }
};

struct ContextDeleter {
    void operator()(llama_context* context) const { llama_free(context); }
};

using ModelPtr = std::unique_ptr<llama_model, ModelDeleter>;
using ContextPtr = std::unique_ptr<llama_context, ContextDeleter>;

// Loads the CPU backend if ggml has none yet; `directory` as in CaptureRequest::backend_dir.
Status ensure_cpu_backend(const std::string& directory);

struct LoadOptions {
    int n_gpu_layers = -1;                    // -ngl; below 0: all
    std::vector<std::string> cpu_patterns{};  // of -ot, without "=CPU"
    bool load_mtp = false;
};

// nullptr where llama.cpp refuses: its log says why. `paths`: all splits, in order.
ModelPtr load_without_weights(const std::vector<std::string>& paths,
                              VirtualDevice& device,
                              const LoadOptions& options);

// The parameters that llama.cpp gets for `spec`, each set on purpose.
// Fails on a cache type that ggml does not know.
Result<llama_context_params> context_params(const ContextSpec& spec);

using NamedTensors = std::vector<std::pair<std::string, ggml_tensor*>>;

// Every tensor of the model as llama.cpp loaded it, MTP layers and unread ones too.
const NamedTensors& tensors_of(const llama_model* model);

}  // namespace pshard
