// What stock llama.cpp would take of a device: its own pass that allocates nothing.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "inventory/context_spec.h"

namespace pshard {

struct StockRun {
    std::string model_path;  // first split, if split
    ContextSpec context;
    int n_gpu_layers = 0;                   // -ngl
    std::vector<std::string> cpu_patterns;  // of -ot, without "=CPU"
    bool op_offload = true;
    bool load_mtp = false;
    std::string device = "cuda";  // as in CaptureRequest
    std::string backend_dir{};
};

// Bytes of the device, as llama_get_memory_breakdown tells them.
struct StockMemory {
    Bytes model = 0;
    Bytes context = 0;
    Bytes compute = 0;

    Bytes total() const { return model + context + compute; }

    bool operator==(const StockMemory&) const = default;
};

// Fails on what is no good model file, and on what llama.cpp refuses. What CUDA's graph_optimize
// asks the allocator to keep for fused kernels of models with experts is not in `compute`: the
// virtual device asks for nothing.
Result<StockMemory> stock_memory(const StockRun& run);

}  // namespace pshard
