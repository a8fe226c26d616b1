// Weights as the CPU computes with them: the master, or a copy in the layout that the CPU backend
// prefers (repacked, AMX), as llama.cpp itself would have made.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "ggml_kit/device.h"
#include "runtime/page_locks.h"

namespace pshard {

class CpuWeights {
public:
    CpuWeights(ggml_backend_dev_t cpu, const PageLocks& locks);

    // A tensor to read `weight` by in `op`, of which it is the first source: its copy if the CPU
    // backend has a better layout for it, else nullptr. The copy is made at the first call.
    const ggml_tensor* better(const ggml_tensor* weight, const ggml_tensor& op);

    // The copy that was made, if any.
    [[nodiscard]] const ggml_tensor* find(const ggml_tensor* weight) const;

    // Drops the copy: the weight was written again, or is gone.
    void forget(const ggml_tensor* weight) { copies_.erase(weight); }

    [[nodiscard]] Bytes bytes() const;

private:
    struct Copy {
        BufferHandle buffer;  // nullptr: no better layout
        std::unique_ptr<ggml_tensor> tensor;
    };

    Copy make(const ggml_tensor* weight, const ggml_tensor& op) const;

    ggml_backend_dev_t cpu_;
    const PageLocks& locks_;                           // where the masters lie
    std::vector<ggml_backend_buffer_type_t> layouts_;  // the CPU backend's extra buffer types
    std::unordered_map<const ggml_tensor*, Copy> copies_;
};

}  // namespace pshard
