#include "capture/stock_memory.h"

#include <exception>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "capture/device_policy.h"
#include "capture/gguf_header.h"
#include "capture/llama_session.h"
#include "capture/log_capture.h"
#include "capture/slim_model.h"

namespace pshard {
namespace {

ModelPtr load(const StockRun& run, const std::vector<std::string>& paths, VirtualDevice& device) {
    std::vector<llama_model_tensor_buft_override> overrides;
    for (const std::string& pattern : run.cpu_patterns) {
        overrides.push_back({pattern.c_str(), ggml_backend_cpu_buffer_type()});
    }
    overrides.push_back({nullptr, nullptr});
    ggml_backend_dev_t devices[] = {device.device(), nullptr};
    llama_model_params params = llama_model_default_params();
    params.devices = devices;
    params.n_gpu_layers = run.n_gpu_layers;
    params.tensor_buft_overrides = overrides.data();
    params.no_alloc = true;
    params.load_mode = LLAMA_LOAD_MODE_NONE;
    params.use_extra_bufts = false;
    params.load_mtp = run.load_mtp;
    std::vector<const char*> names;
    for (const std::string& path : paths) names.push_back(path.c_str());
    return ModelPtr(llama_model_load_from_splits(names.data(), names.size(), params));
}

StockMemory measure(const llama_context* context, VirtualDevice& device) {
    StockMemory memory;
    for (const auto& [type, used] : llama_get_memory_breakdown(context)) {
        if (type != device.buffer_type()) continue;
        memory.model += used.model;
        memory.context += used.context;
        memory.compute += used.compute;
    }
    return memory;
}

// May throw what llama.cpp throws.
Result<StockMemory> measured(const StockRun& run,
                             const std::vector<std::string>& paths,
                             const llama_context_params& params,
                             VirtualDevice& device) {
    const ModelPtr model = load(run, paths, device);
    if (!model) return Error{"llama.cpp could not load the model", {run.model_path}};
    const ContextPtr context(llama_init_from_model(model.get(), params));
    if (!context) return Error{"llama.cpp could not make a context", {run.model_path}};
    return measure(context.get(), device);
}

}  // namespace

Result<StockMemory> stock_memory(const StockRun& run) {
    const Result<std::vector<GgufHeader>> files = open_model_files(run.model_path);
    if (!files) return files.error();
    const Result<SlimModel> slim = SlimModel::make(files.value());
    if (!slim) return slim.error();
    Result<llama_context_params> params = context_params(run.context);
    if (!params) return params.error();
    params.value().op_offload = run.op_offload;
    LogCapture log;
    if (Status loaded = ensure_cpu_backend(run.backend_dir); !loaded) return loaded.error();
    Result<std::unique_ptr<DevicePolicy>> policy = make_device_policy(run.device);
    if (!policy) return policy.error();
    VirtualDevice device({.policy = std::move(policy).value(), .offload = run.op_offload});
    try {
        return measured(run, slim.value().paths(), params.value(), device);
    } catch (const std::exception& error) {
        return Error{fmt::format("llama.cpp gave up on the model ({})", error.what()),
                     {run.model_path}};
    }
}

}  // namespace pshard
