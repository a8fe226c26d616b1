// Which of a kernel's arguments are pointers, by its mangled name: all that is known of a kernel
// that is not run.
//
//   _Z12rms_norm_f32ILi256E...EvPKfPfi   ->  "rms_norm_f32", { reads, writes, nothing }
#pragma once

#include <string>
#include <vector>

namespace pshard::fakecuda {

enum class Argument { Value, Reads, Writes, Fusion };

struct Signature {
    std::string name{};  // without template arguments
    std::vector<Argument> arguments{};
};

Signature signature_of(const char* mangled);

// Pointers of an argument that is Argument::Fusion: the first fields of
// ggml_cuda_mm_fusion_args_device (ggml-cuda/common.cuh of llama.cpp v0.5.0), all of them read.
inline constexpr int kFusionPointers = 5;

}  // namespace pshard::fakecuda
