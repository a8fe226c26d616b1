#include "planning/model_source.h"

#include <algorithm>
#include <limits>
#include <map>
#include <sstream>
#include <utility>

#include <fmt/format.h>
#include <ggml-backend.h>

#include "base/atomic_file.h"
#include "capture/capture.h"
#include "capture/gguf_header.h"
#include "common/child.h"
#include "common/folders.h"
#include "common/log.h"
#include "inventory/inventory_text.h"
#include "probe/devices.h"

namespace pshard::tool {
namespace {

// How every saved inventory begins (docs/formats/inventory.md).
constexpr std::string_view kInventoryMark = "pshard-inventory ";

constexpr std::size_t kMaxInventoryBytes = 256 * kMiB;

// The architecture of every multimodal projector (tools/mtmd/clip.cpp of llama.cpp v0.5.0).
constexpr std::string_view kProjectorArchitecture = "clip";

Result<std::string> capture_text(const CaptureWish& wish) {
    if (!is_model_of_a_device(wish.device)) load_ggml_backends(ggml_folder());
    const Result<Inventory> inventory = capture_inventory({.model_path = wish.model,
                                                           .context = wish.context,
                                                           .tiers = wish.tiers,
                                                           .device = wish.device,
                                                           .load_mtp = wish.drafting.mtp,
                                                           .n_rs_seq = wish.drafting.n_rs_seq,
                                                           .backend_dir = ggml_folder(),
                                                           .on_progress = tell_parent});
    if (!inventory) return inventory.error();
    return to_text(inventory.value());
}

Result<std::string> stock_memory_text(const StockRun& run) {
    if (!is_model_of_a_device(run.device)) load_ggml_backends(ggml_folder());
    const Result<StockMemory> memory = stock_memory(run);
    if (!memory) return memory.error();
    const StockMemory& bytes = memory.value();
    return fmt::format("{} {} {}", bytes.model, bytes.context, bytes.compute);
}

Result<std::string> device_memory_text(const std::string& device) {
    load_ggml_backends(ggml_folder());
    ggml_backend_dev_t found = ggml_backend_dev_by_name(device.c_str());
    if (found == nullptr) return Error{fmt::format("ggml has no device '{}' here", device), {}};
    const DeviceMemory memory = memory_of(found);
    return fmt::format("{} {}", memory.free, memory.total);
}

Bytes bytes_of(const std::vector<GgufHeader>& files) {
    Bytes bytes = 0;
    for (const GgufHeader& file : files) {
        for (const GgufTensor& tensor : file.tensors) bytes += tensor.bytes;
    }
    return bytes;
}

}  // namespace

Result<ModelFacts> read_facts(const std::string& path) {
    const Result<std::vector<GgufHeader>> files = open_model_files(path);
    if (!files) return files.error();
    const Result<Inventory> model = identify_model(files.value());
    if (!model) return model.error();
    const std::string& architecture = model.value().architecture;
    const auto window = files.value().front().integer(architecture + ".attention.sliding_window");
    return ModelFacts{model.value().n_ctx_train,
                      model.value().n_layers,
                      bytes_of(files.value()),
                      window.value_or(0) > 0,
                      Hash64{model.value().header_hash},
                      architecture};
}

Result<Bytes> read_projector_bytes(const std::string& path) {
    const Result<std::vector<GgufHeader>> files = open_model_files(path);
    if (!files) return files.error();
    const auto architecture = files.value().front().string("general.architecture").value_or("");
    if (architecture != kProjectorArchitecture) {
        return Error{fmt::format("is no projector: its architecture is '{}', not '{}'",
                                 architecture,
                                 kProjectorArchitecture),
                     {path}};
    }
    return bytes_of(files.value());
}

bool is_model_of_a_device(const std::string& device) {
    return device == "cuda" || device == "vulkan";
}

Result<DeviceMemory> device_memory_in_child(const std::string& device) {
    static std::map<std::string, DeviceMemory> told;
    if (const auto known = told.find(device); known != told.end()) return known->second;
    const Result<std::string> text = run_in_child(
        {fmt::format("asking {}", device), [&] { return device_memory_text(device); }});
    if (!text) return text.error();
    DeviceMemory memory;
    std::istringstream(text.value()) >> memory.free >> memory.total;
    told.emplace(device, memory);
    return memory;
}

Result<Inventory> capture_in_child(const CaptureWish& wish) {
    const Result<std::string> text = run_in_child({.what = fmt::format("reading {}", wish.model),
                                                   .work = [&] { return capture_text(wish); },
                                                   .unit = "graphs"});
    if (!text) return text.error();
    return inventory_from_text(text.value(), "captured inventory");
}

bool Captures::serves(const Captured& captured, const CaptureWish& wish) {
    CaptureWish same = captured.wish;
    const bool larger = same.context.n_ubatch > wish.context.n_ubatch;
    if (larger && !is_windowed(captured.inventory)) {
        same.context.n_ubatch = wish.context.n_ubatch;
        same.context.n_batch = wish.context.n_batch;
    }
    same.tiers = wish.tiers;
    return same == wish && std::ranges::includes(captured.wish.tiers, wish.tiers);
}

Result<Inventory> Captures::of(const CaptureWish& wish) {
    const auto known =
        std::ranges::find_if(known_, [&](const Captured& each) { return serves(each, wish); });
    if (known == known_.end()) {
        Result<Inventory> captured = capture_in_child(wish);
        if (captured) known_.push_back({wish, captured.value()});
        return captured;
    }
    Inventory inventory = known->inventory;
    inventory.context.n_ubatch = wish.context.n_ubatch;
    inventory.context.n_batch = wish.context.n_batch;
    std::erase_if(inventory.graphs, [&](const Graph& graph) {
        return !std::ranges::binary_search(wish.tiers, graph.n_tokens);
    });
    return inventory;
}

Result<StockMemory> stock_memory_in_child(StockRun run) {
    static std::vector<std::pair<StockRun, StockMemory>> told;
    run.backend_dir = ggml_folder();
    const auto known = std::ranges::find(told, run, &std::pair<StockRun, StockMemory>::first);
    if (known != told.end()) return known->second;
    const Result<std::string> text = run_in_child(
        {fmt::format("reading {}", run.model_path), [&] { return stock_memory_text(run); }});
    if (!text) return text.error();
    StockMemory memory;
    std::istringstream(text.value()) >> memory.model >> memory.context >> memory.compute;
    told.emplace_back(std::move(run), memory);
    return memory;
}

Result<Inventory> read_inventory(const std::string& path) {
    const Result<std::optional<std::string>> text = read_file(path, kMaxInventoryBytes);
    if (!text) return text.error();
    if (!text.value()) return Error{"there is no such inventory", {path}};
    return inventory_from_text(*text.value(), path);
}

Status write_inventory(const std::string& path, const Inventory& inventory) {
    const std::string old = beginning_of(path);
    if (!old.empty() && !old.starts_with(kInventoryMark)) {
        return Error{
            "exists and is no inventory; it stays as it is, give --save-inventory another "
            "file",
            {path}};
    }
    const SlowNotice notice(
        fmt::format("waiting to write {}, which another process is writing", path));
    Result<FileUpdate> update = FileUpdate::begin(path);
    if (!update) return update.error();
    return update.value().commit(to_text(inventory));
}

}  // namespace pshard::tool
