// A model and a context of llama.cpp on a virtual device, for which nothing is allocated.
//
// Only the capture uses this. Every call must be made under a LogCapture, and llama.cpp may throw.
#pragma once

#include <llama-ext.h>
#include <llama.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "capture/virtual_device.h"
#include "ggml_kit/handles.h"
#include "inventory/context_spec.h"

namespace pshard {

using ModelPtr = std::unique_ptr<llama_model, FreeBy<llama_model_free>>;
using ContextPtr = std::unique_ptr<llama_context, FreeBy<llama_free>>;

// Loads the CPU backend if ggml has none yet; `directory` as in CaptureRequest::backend_dir.
Status ensure_cpu_backend(const std::string& directory);

struct LoadOptions {
    int n_gpu_layers = -1;                    // -ngl; below 0: all
    std::vector<std::string> cpu_patterns{};  // patterns of -ot, without their "=CPU"
    bool load_mtp = false;
};

// The pattern with its classes of plain characters spelled out: "[.]" as "\.", "[3-5]" as
// "(?:3|4|5)". It matches the same, and std::regex compiles it in a hundredth of the time.
std::string spelled_out(const std::string& pattern);

// Loads the model from `paths`, all splits in order. nullptr if llama.cpp refuses; its log says
// why.
ModelPtr load_without_weights(const std::vector<std::string>& paths,
                              VirtualDevice& device,
                              const LoadOptions& options);

// The parameters that llama.cpp gets for `spec`. Fails on a cache type that ggml does not know.
Result<llama_context_params> context_params(const ContextSpec& spec);

using NamedTensors = std::vector<std::pair<std::string, ggml_tensor*>>;

// Every tensor of the model that llama.cpp loaded, even those of MTP layers and those that no graph
// reads.
const NamedTensors& tensors_of(const llama_model* model);

}  // namespace pshard
