// PSHARD_TRACE: each pass is written to a file as soon as it is done.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "runtime/engine_setup.h"

namespace pshard {

// Makes the file anew. `device`: what the passes run on. Fails if the file cannot be written, is no
// trace, or is written by another run; a write that fails later is told once, and ends the trace.
Result<std::function<void(const PassRecord&)>> open_trace(const std::string& path,
                                                          const std::string& device,
                                                          Log log);

}  // namespace pshard
