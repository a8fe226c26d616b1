// Zeroes behind quantized tensors in device memory.
//
// A device's matrix kernels read whole blocks of values, past the end of a row that is shorter; the
// device gives such tensors room for it (their alloc bytes). What lies there must be numbers: a
// scale that is none would make all of the product none, whatever it is multiplied with.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include <ggml.h>

#include "base/units.h"

namespace pshard {

inline constexpr Bytes kMaxPadding = 65536;
inline constexpr std::array<std::byte, kMaxPadding> kZeroes{};

// The bytes behind the tensor's own that must be zero; `alloc_bytes`: what it takes on the device.
inline Bytes padding_of(const ggml_tensor& tensor, Bytes alloc_bytes) {
    const Bytes own = ggml_nbytes(&tensor);
    if (!ggml_is_quantized(tensor.type) || alloc_bytes <= own) return 0;
    return std::min(alloc_bytes - own, kMaxPadding);
}

}  // namespace pshard
