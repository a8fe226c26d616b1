// From a model file to an inventory, by asking llama.cpp itself: no weight is read, no memory is
// taken but for the graphs' bookkeeping, and no GPU is needed. Any architecture that llama.cpp
// knows can be captured, without a line about it here.
//
// llama.cpp places everything on the device, as with -ngl all. What it keeps in host memory even
// then is Side::Input: the token embeddings, and weights of a type that the device does not
// support. A tier's tokens are spread over as many sequences as divide them evenly, at most
// n_seq_max: a batch of one token has one sequence, however many slots the server has. (A model
// with recurrent state keeps all sequences.)
//
// A capture of nine tiers takes from 20 ms for a small model to 0.2 s for one of 90 layers.
// Concurrent calls wait for each other, since llama.cpp's log is process-wide.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "capture/device_policy.h"
#include "inventory/inventory.h"

namespace pshard {

struct CaptureRequest {
    std::string model_path;  // the file, or the first split
    ContextSpec context;
    std::vector<std::uint32_t> tiers;  // tokens, ascending, at most the context's n_ubatch
    std::string device = "cuda";       // a model of a device, or a device that ggml has loaded
    bool load_mtp = false;             // also load the MTP layers, as --spec-type draft-mtp does
    std::uint32_t n_rs_seq = 0;    // recurrent states kept beside the newest, to take tokens back
    std::string backend_dir;       // folder of libggml-cpu.so; empty: where ggml looks itself
    bool load_vocabulary = false;  // load the file itself, not a slim copy: slower, same result
    OnProgress on_progress{};      // told of graphs
};

// Fails on a file that is no good model (capture/gguf_header.h says why), on a context or tiers
// that llama.cpp refuses, and on a device that is not known. Each Error is one sentence. `policy`
// answers for the device, whichever the request names; nullptr: that device does.
Result<Inventory> capture_inventory(const CaptureRequest& request,
                                    std::shared_ptr<const DevicePolicy> policy = nullptr);

}  // namespace pshard
