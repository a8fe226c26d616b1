// ggml's view of the runtime: the backend "PSHARD" with its one device, PSHARD0.
//
// There is one per process. Source: ggml/src/ggml-backend-impl.h of ggml v0.5.0
// (GGML_BACKEND_API_VERSION 2).
#pragma once

#include <ggml-backend.h>

#include "runtime/engine.h"

namespace pshard {

// The memory that the device claims, free and total: so much that llama.cpp's --fit changes
// nothing.
inline constexpr Bytes kClaimedMemory = 1024 * kGiB;

// Always the same registry. The engine must outlive the process's use of ggml: it is never freed.
ggml_backend_reg_t pshard_registry(Engine& engine);

}  // namespace pshard
