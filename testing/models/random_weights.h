// Weights of a model that was never trained but whose numbers stay in range.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ggml.h"
#include "models/tensor_list.h"

namespace pshard::shapes {

// The data of one tensor in `type`. It depends on the seed and on the tensor's name and shape
// alone, and is the same on every machine.
//
//   matrices     uniform, variance 1 / row length: a product keeps the size of its input
//   norms, ssm_d 1 +- 0.1
//   rope_freqs   1: no change to rope
//   ssm_a        -1 +- 0.5: every state decays
//   the rest     +- 0.1
std::vector<std::byte> random_tensor(const TensorSpec& spec, ggml_type type, std::uint64_t seed);

}  // namespace pshard::shapes
