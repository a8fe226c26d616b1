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
#include "ggml_kit/border.h"

namespace pshard {
namespace {

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

Result<StockMemory> measured(const StockRun& run,
                             const std::vector<std::string>& paths,
                             const llama_context_params& params,
                             VirtualDevice& device) {
    const ModelPtr model =
        load_without_weights(paths, device, {run.n_gpu_layers, run.cpu_patterns, run.load_mtp});
    if (!model) return Error{"llama.cpp could not load the model", {run.model_path}};
    const ContextPtr context(llama_init_from_model(model.get(), params));
    if (!context) return Error{"llama.cpp could not make a context", {run.model_path}};
    return measure(context.get(), device);
}

Error gave_up(const std::string& what, const StockRun& run) {
    return {fmt::format("llama.cpp gave up on the model ({})", what), {run.model_path}};
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
    params.value().n_rs_seq = run.n_rs_seq;
    if (run.mtp_context) params.value().ctx_type = LLAMA_CONTEXT_TYPE_MTP;
    LogCapture log;
    if (Status loaded = ensure_cpu_backend(run.backend_dir); !loaded) return loaded.error();
    Result<std::unique_ptr<DevicePolicy>> policy = make_device_policy(run.device);
    if (!policy) return policy.error();
    VirtualDevice device({.policy = std::move(policy).value(), .offload = run.op_offload});
    forget_thrown();
    try {
        Result<StockMemory> memory = measured(run, slim.value().paths(), params.value(), device);
        if (const std::string thrown = thrown_at_border(); !thrown.empty())
            return gave_up(thrown, run);
        if (memory || log.complaint().empty()) return memory;
        const Error& error = memory.error();
        return Error{fmt::format("{}: {}", error.message, log.complaint()), error.place};
    } catch (const std::exception& error) {
        return gave_up(error.what(), run);
    }
}

}  // namespace pshard
