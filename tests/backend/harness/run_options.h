// What logits_run is asked to do. Flags are spelled as llama.cpp's programs spell them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace pshard::backend_test {

struct RunOptions {
    std::filesystem::path model{};  // --model
    std::filesystem::path out{};    // --out: where the records go; empty: only a line on stdout
    std::string scenario = "decode";
    std::string device = "none";  // "none": the CPU alone
    std::string cpu_tensors{};    // -ot: weights whose name matches stay on the CPU
    std::string flash_attn = "auto";
    std::string type_k = "f16";
    std::string type_v = "f16";
    std::string load_mode = "auto";
    int n_gpu_layers = 99;
    int n_ctx = 512;
    int n_batch = 512;
    int n_ubatch = 32;
    int n_seq_max = 0;           // -np; 0: as many as the scenario has
    int n_threads = 1;           // more only spin where the machine is shared
    int seed = 1;                // of the prompts
    int n_steps = 100;           // --steps: of scenarios that may be of any length
    bool kv_unified = false;     // -kvu
    bool swa_full = false;       // --swa-full
    bool no_repack = false;      // --no-repack
    bool no_op_offload = false;  // --no-op-offload
    bool no_kv_offload = false;  // -nkvo
    bool host_buffers =
        false;              // --host-buffers: weights of the CPU in the device's own host memory
    bool load_mtp = false;  // --mtp: the layers that draft
};

Result<RunOptions> parse_options(const std::vector<std::string>& arguments);

}  // namespace pshard::backend_test
