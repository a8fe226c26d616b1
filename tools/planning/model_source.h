// Inventories of models, captured in a child process, or read from a saved file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/fingerprint.h"
#include "base/result.h"
#include "capture/stock_memory.h"
#include "ggml_kit/device.h"
#include "inventory/inventory.h"
#include "plan_flags/drafting.h"
#include "plan_flags/options.h"

namespace pshard::tool {

// What the header of a model file tells without llama.cpp.
struct ModelFacts {
    std::uint32_t n_ctx_train = 0;
    int n_layers = 0;
    Bytes tensor_bytes = 0;   // of all splits
    bool has_window = false;  // it names a sliding window; llama.cpp decides whether one is used
    Hash64 tensors{};         // hash of their names, types and shapes
    std::string architecture{};
};

// Fails as identify_model() does.
Result<ModelFacts> read_facts(const std::string& path);

// The bytes of a multimodal projector's tensors. Fails on what is no projector.
Result<Bytes> read_projector_bytes(const std::string& path);

// "cuda" and "vulkan" name a model of a device; all else a device that ggml has here.
bool is_model_of_a_device(const std::string& device);

// The memory of a device that ggml has, with a context of ours on it. It is asked once: plans that
// are compared have the same memory, whatever else runs meanwhile.
Result<DeviceMemory> device_memory_in_child(const std::string& device);

struct CaptureWish {
    std::string model;
    ContextSpec context;
    std::vector<std::uint32_t> tiers;
    std::string device;
    Drafting drafting{};

    bool operator==(const CaptureWish&) const = default;
};

// Fails also where llama.cpp crashes, or takes longer than two minutes.
Result<Inventory> capture_in_child(const CaptureWish& wish);

// The captures of one run of a tool: it asks llama.cpp once for each context.
class Captures {
public:
    // The same as capture_in_child(), from an earlier capture if that has all the tiers. Without
    // sliding windows a capture for a larger ubatch is as good.
    Result<Inventory> of(const CaptureWish& wish);

private:
    struct Captured {
        CaptureWish wish;
        Inventory inventory;
    };

    static bool serves(const Captured& captured, const CaptureWish& wish);

    std::vector<Captured> known_;
};

// What stock llama.cpp would take, asked in the same way, and once; `run.backend_dir` is filled in.
Result<StockMemory> stock_memory_in_child(StockRun run);

Result<Inventory> read_inventory(const std::string& path);
Status write_inventory(const std::string& path, const Inventory& inventory);

}  // namespace pshard::tool
