// Loads ggml's backends before main(): for LD_PRELOAD. llama.cpp's test-llama-archs does not load
// them itself, and so, where backends are libraries, finds no device and passes without a test.
#include "ggml-backend.h"

namespace {

[[maybe_unused]] const bool loaded = [] {
    ggml_backend_load_all_from_path(PSHARD_LLAMA_BIN_DIR);
    return true;
}();

}  // namespace
