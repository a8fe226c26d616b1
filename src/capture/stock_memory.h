// How much of a device's memory stock llama.cpp would take, by its own count without allocations.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "inventory/context_spec.h"

namespace pshard {

struct StockRun {
    std::string model_path;  // the file, or the first split
    ContextSpec context;
    int n_gpu_layers = 0;                     // -ngl
    std::vector<std::string> cpu_patterns{};  // patterns of -ot, without their "=CPU"
    bool op_offload = true;
    bool load_mtp = false;
    bool mtp_context = false;     // the context that drafts with the MTP layers, not the main one
    std::uint32_t n_rs_seq = 0;   // as in CaptureRequest
    std::string device = "cuda";  // as in CaptureRequest
    std::string backend_dir{};

    // The model, all on the device, whose embeddings, head or cache the one above reads, and its
    // context; empty: it reads none.
    std::string target_path{};
    ContextSpec target_context{};

    bool operator==(const StockRun&) const = default;
};

// The bytes on the device, as llama_get_memory_breakdown tells them.
struct StockMemory {
    Bytes model = 0;
    Bytes context = 0;
    Bytes compute = 0;

    Bytes total() const { return model + context + compute; }

    bool operator==(const StockMemory&) const = default;
};

// Fails on a file that is no good model, and on what llama.cpp refuses. `compute` lacks the memory
// that CUDA's graph_optimize asks for, to keep values for the fused kernels of models with experts:
// the virtual device asks for none.
Result<StockMemory> stock_memory(const StockRun& run);

}  // namespace pshard
