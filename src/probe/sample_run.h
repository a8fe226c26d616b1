// A run as a model makes it, to see what a driver takes for it outside our allocations: quantized
// and f16 matmuls, attention, routed experts, with the batch as large as `n_ubatch`.
#pragma once

#include <cstdint>

#include "probe/devices.h"

namespace pshard {

// Computes it once on `backend`, frees what was allocated for it, and leaves the backend open: what
// a driver keeps until then (context, kernels, pools, workspaces) is still there. Ops that the
// device does not support are left out. Fails when memory is short, or the device refuses.
Status sample_run(ggml_backend_t backend, std::int64_t n_ubatch);

}  // namespace pshard
