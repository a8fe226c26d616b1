// ggml's view of the runtime: the backend "PSHARD" with its one device, PSHARD0.
//
// One per process. Source: ggml/src/ggml-backend-impl.h of ggml v0.5.0 (GGML_BACKEND_API_VERSION
// 2).
#pragma once

#include <ggml-backend.h>

#include "runtime/engine.h"

namespace pshard {

// What the device claims, free and total: so much that llama.cpp's --fit keeps its hands off.
inline constexpr Bytes kClaimedMemory = 1024 * kGiB;

// The engine must outlive the process's use of ggml: it is never freed. Always the same registry.
ggml_backend_reg_t pshard_registry(Engine& engine);

}  // namespace pshard
