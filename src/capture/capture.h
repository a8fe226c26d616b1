// From a model file to an inventory, by asking llama.cpp itself.
//
// The model is loaded with no_alloc onto a virtual device (capture/virtual_device.h), a context is
// made, and the graph of each tier is built by llama_graph_reserve. No weight is read, no memory is
// taken but for the graphs' bookkeeping, no GPU is needed, and any architecture that llama.cpp
// knows is captured without knowing it here.
//
// The placement is "all on the device", as llama.cpp would with -ngl all: what llama.cpp keeps in
// host memory even then (the token embeddings) is Side::Input.
//
// The graph of a tier is that of `tier` tokens, spread over as many sequences as divide it, up to
// n_seq_max: a batch of one token is one user's, however many the server has slots for.
//
// Takes 20 ms for a small model to 0.2 s for one of 90 layers, for nine tiers. Not reentrant:
// concurrent calls wait for each other (llama.cpp's log is process-wide).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "capture/device_policy.h"
#include "inventory/inventory.h"

namespace pshard {

struct CaptureRequest {
    std::string model_path;  // first split, if split
    ContextSpec context;
    std::vector<std::uint32_t> tiers;  // tokens, ascending, at most the context's n_ubatch
    std::string device = "cuda";       // a model of a device, or a device that ggml has loaded
    bool load_mtp = false;             // also load the MTP layers, as --spec-type draft-mtp does
    bool mtp_context = false;      // capture the context that drafts with the MTP layers instead
    std::string backend_dir;       // where libggml-cpu.so is; empty: where ggml looks itself
    bool load_vocabulary = false;  // load the file itself, not a slim copy: slower, same result
};

// Fails, in one sentence each, on: a file that is no good model (capture/gguf_header.h says how), a
// context or tiers that llama.cpp refuses, a device that is not known.
Result<Inventory> capture_inventory(const CaptureRequest& request);

// The same on a device that answers as `policy` does, whatever the request names.
Result<Inventory> capture_inventory(const CaptureRequest& request,
                                    std::shared_ptr<const DevicePolicy> policy);

}  // namespace pshard
