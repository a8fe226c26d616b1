#include "capture/stock_memory.h"

#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "capture/device_policy.h"
#include "capture/gguf_header.h"
#include "capture/llama_session.h"
#include "capture/log_capture.h"
#include "capture/plain_words.h"
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

// A model without weights, and a context of it. The slim copy lives as long as they do.
struct Loaded {
    std::optional<SlimModel> slim;
    ModelPtr model;
    ContextPtr context;
};

Result<Loaded> load(const std::string& path,
                    const LoadOptions& options,
                    const llama_context_params& params,
                    VirtualDevice& device) {
    const Result<std::vector<GgufHeader>> files = open_model_files(path);
    if (!files) return files.error();
    Result<SlimModel> slim = SlimModel::make(files.value());
    if (!slim) return slim.error();
    Loaded loaded;
    loaded.slim = std::move(slim).value();
    loaded.model = load_without_weights(loaded.slim->paths(), device, options);
    if (!loaded.model) return Error{"llama.cpp could not load the model", {path}};
    loaded.context.reset(llama_init_from_model(loaded.model.get(), params));
    if (!loaded.context) return Error{"llama.cpp could not make a context", {path}};
    return loaded;
}

Error gave_up(const std::string& what, const StockRun& run) {
    return {fmt::format("llama.cpp gave up on the model ({})", what), {run.model_path}};
}

Result<StockMemory> measured(const StockRun& run, VirtualDevice& device) {
    Result<llama_context_params> params = context_params(run.context);
    if (!params) return params.error();
    params.value().op_offload = run.op_offload;
    params.value().n_rs_seq = run.n_rs_seq;
    if (run.mtp_context) params.value().ctx_type = LLAMA_CONTEXT_TYPE_MTP;
    Loaded target;
    if (!run.target_path.empty()) {
        const Result<llama_context_params> theirs = context_params(run.target_context);
        if (!theirs) return theirs.error();
        Result<Loaded> loaded = load(run.target_path, {}, theirs.value(), device);
        if (!loaded) return loaded.error();
        target = std::move(loaded).value();
        params.value().ctx_other = target.context.get();
    }
    const LoadOptions options{run.n_gpu_layers, run.cpu_patterns, run.load_mtp};
    const Result<Loaded> loaded = load(run.model_path, options, params.value(), device);
    if (!loaded) return loaded.error();
    return measure(loaded.value().context.get(), device);
}

}  // namespace

Result<StockMemory> stock_memory(const StockRun& run) {
    LogCapture log;
    if (Status loaded = ensure_cpu_backend(run.backend_dir); !loaded) return loaded.error();
    Result<std::unique_ptr<DevicePolicy>> policy = make_device_policy(run.device);
    if (!policy) return policy.error();
    VirtualDevice device({.policy = std::move(policy).value(), .offload = run.op_offload});
    forget_thrown();
    try {
        Result<StockMemory> memory = measured(run, device);
        if (const std::string thrown = thrown_at_border(); !thrown.empty())
            return gave_up(thrown, run);
        if (memory || log.complaint().empty()) return memory;
        const Error& error = memory.error();
        return Error{fmt::format("{}: {}", error.message, log.complaint()), error.place};
    } catch (const std::exception& error) {
        return gave_up(in_plain_words(error.what()), run);
    }
}

}  // namespace pshard
