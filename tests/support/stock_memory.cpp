#include "support/stock_memory.h"

#include <unistd.h>

#include <map>

#include <fmt/format.h>

#include "base/temp_folder.h"
#include "build_paths.h"
#include "capture/capture.h"
#include "models/shapes.h"

namespace pshard::testing_support {
Result<StockMemory> stock_memory(const std::string& model_path,
                                 const ContextSpec& context,
                                 const StockArgs& args) {
    return pshard::stock_memory({.model_path = model_path,
                                 .context = context,
                                 .n_gpu_layers = args.n_gpu_layers,
                                 .cpu_patterns = args.cpu_patterns,
                                 .op_offload = false,
                                 .backend_dir = PSHARD_LLAMA_BIN_DIR});
}

Result<Inventory> captured_tiers(const std::string& model_path, std::vector<std::uint32_t> tiers) {
    CaptureRequest request;
    request.model_path = model_path;
    request.context.n_ctx = 8192;
    request.context.n_batch = tiers.back();
    request.context.n_ubatch = tiers.back();
    request.context.flash_attention = FlashAttention::On;
    request.tiers = std::move(tiers);
    request.backend_dir = PSHARD_LLAMA_BIN_DIR;
    return capture_inventory(request);
}

Result<Inventory> captured_ubatch(const std::string& model_path, std::uint32_t n_ubatch) {
    return captured_tiers(model_path, {n_ubatch});
}

Result<std::filesystem::path> sparse_model(const std::string& shape_name,
                                           const std::string& quant) {
    static const test::TempFolder folder;  // until this process ends
    static std::map<std::string, std::filesystem::path> written;
    const std::string name = fmt::format("{}-{}.gguf", shape_name, quant);
    if (const auto found = written.find(name); found != written.end()) return found->second;
    const std::string tiny = "tiny-";
    const Result<ModelShape> shape = shape_name.starts_with(tiny)
                                         ? find_tiny_shape(shape_name.substr(tiny.size()))
                                         : find_shape(shape_name);
    if (!shape) return shape.error();
    const std::filesystem::path path = folder / name;
    const Result<WrittenModel> model = write_sparse(shape.value(), quant, path);
    if (!model) return model.error();
    return written[name] = path;
}

}  // namespace pshard::testing_support
