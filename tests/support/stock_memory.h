// The oracle for bytes: what llama.cpp itself says it would allocate, from its no-alloc pass.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "capture/stock_memory.h"
#include "inventory/inventory.h"
#include "strategy/stock_args.h"

namespace pshard::testing_support {

using pshard::StockMemory;

// A model loaded by llama.cpp with -ngl and -ot onto a virtual CUDA device; op-offload off.
Result<StockMemory> stock_memory(const std::string& model_path,
                                 const ContextSpec& context,
                                 const StockArgs& args);

// Our capture of a model in 8192 tokens, flash attention on; the last tier is the ubatch.
Result<Inventory> captured_tiers(const std::string& model_path, std::vector<std::uint32_t> tiers);

// Our capture for the comparison: the graph of one ubatch in 8192 tokens, flash attention on.
Result<Inventory> captured_ubatch(const std::string& model_path, std::uint32_t n_ubatch);

// A known shape in one of its quants, for tables of models.
struct RealModel {
    const char* shape;
    const char* quant;
};

inline void PrintTo(const RealModel& model, std::ostream* out) { *out << model.shape; }

// The sparse model of a known shape, or of "tiny-ARCH", written once per process and kept until it
// ends.
Result<std::filesystem::path> sparse_model(const std::string& shape, const std::string& quant);

}  // namespace pshard::testing_support
