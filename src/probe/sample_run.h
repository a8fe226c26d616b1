// A run such as a model makes, which shows what a driver takes for it outside our allocations:
// quantized and f16 matmuls, attention and routed experts, on a batch of `n_ubatch` tokens.
#pragma once

#include <cstdint>

#include "probe/devices.h"

namespace pshard {

// Computes the run once on `backend`, frees what was allocated for it, and leaves the backend open,
// so that what the driver keeps (context, kernels, pools, workspaces) is still there. Ops that the
// device does not support are left out. Fails if memory is short, or if the device refuses.
Status sample_run(ggml_backend_t backend, std::int64_t n_ubatch);

}  // namespace pshard
