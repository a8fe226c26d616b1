#include "support/stock_memory.h"

#include <unistd.h>

#include <map>
#include <vector>

#include <fmt/format.h>

#include "capture/capture.h"
#include "capture/gguf_header.h"
#include "capture/llama_session.h"
#include "capture/log_capture.h"
#include "capture/slim_model.h"
#include "shapes/shapes.h"

namespace pshard::testing_support {
namespace {

// The folder of this process's models, removed at its end.
class ModelFolder {
public:
    ModelFolder()
        : path_(std::filesystem::temp_directory_path() / fmt::format("pshard-test.{}", getpid())) {
        std::filesystem::create_directories(path_);
    }

    ~ModelFolder() { std::filesystem::remove_all(path_); }

    ModelFolder(const ModelFolder&) = delete;
    ModelFolder& operator=(const ModelFolder&) = delete;

    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

ModelPtr load(const std::vector<std::string>& paths, VirtualDevice& device, const StockArgs& args) {
    std::vector<llama_model_tensor_buft_override> overrides;
    for (const std::string& pattern : args.cpu_patterns) {
        overrides.push_back({pattern.c_str(), ggml_backend_cpu_buffer_type()});
    }
    overrides.push_back({nullptr, nullptr});
    ggml_backend_dev_t devices[] = {device.device(), nullptr};
    llama_model_params params = llama_model_default_params();
    params.devices = devices;
    params.n_gpu_layers = args.n_gpu_layers;
    params.tensor_buft_overrides = overrides.data();
    params.no_alloc = true;
    params.load_mode = LLAMA_LOAD_MODE_NONE;
    params.use_extra_bufts = false;
    params.load_mtp = false;
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

}  // namespace

Result<StockMemory> stock_memory(const std::string& model_path,
                                 const ContextSpec& context,
                                 const StockArgs& args) {
    if (const Status status = ensure_cpu_backend(PSHARD_LLAMA_BIN_DIR); !status) {
        return status.error();
    }
    Result<GgufHeader> header = GgufHeader::open(model_path);
    if (!header) return header.error();
    std::vector<GgufHeader> headers;
    headers.push_back(std::move(header).value());
    const Result<SlimModel> slim = SlimModel::make(headers);
    if (!slim) return slim.error();
    Result<std::unique_ptr<DevicePolicy>> policy = make_device_policy("cuda");
    if (!policy) return policy.error();

    LogCapture log;
    VirtualDevice device({.policy = std::move(policy).value()});
    const ModelPtr model = load(slim.value().paths(), device, args);
    if (!model) return Error{"llama.cpp could not load the model", {model_path}};
    Result<llama_context_params> params = context_params(context);
    if (!params) return params.error();
    params.value().op_offload = false;
    const ContextPtr made(llama_init_from_model(model.get(), params.value()));
    if (!made) return Error{"llama.cpp could not make a context", {model_path}};
    return measure(made.get(), device);
}

Result<Inventory> captured_ubatch(const std::string& model_path, std::uint32_t n_ubatch) {
    CaptureRequest request;
    request.model_path = model_path;
    request.context.n_ctx = 8192;
    request.context.n_batch = n_ubatch;
    request.context.n_ubatch = n_ubatch;
    request.context.flash_attention = FlashAttention::On;
    request.tiers = {n_ubatch};
    request.backend_dir = PSHARD_LLAMA_BIN_DIR;
    return capture_inventory(request);
}

Result<std::filesystem::path> sparse_model(const std::string& shape_name,
                                           const std::string& quant) {
    static const ModelFolder folder;
    static std::map<std::string, std::filesystem::path> written;
    const std::string name = fmt::format("{}-{}.gguf", shape_name, quant);
    if (const auto found = written.find(name); found != written.end()) return found->second;
    const Result<ModelShape> shape = find_shape(shape_name);
    if (!shape) return shape.error();
    const std::filesystem::path path = folder.path() / name;
    const Result<WrittenModel> model = write_sparse(shape.value(), quant, path);
    if (!model) return model.error();
    return written[name] = path;
}

}  // namespace pshard::testing_support
