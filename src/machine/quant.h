// Sizes of ggml's tensor types, by name.
#pragma once

#include <optional>
#include <string_view>

namespace pshard {

// The bits that one element takes, block scales included: 4.5 for "q4_0" and "q4_K". nullopt: the
// type is not known here. Source: ggml-common.h of llama.cpp v0.5.0 (block sizes).
[[nodiscard]] std::optional<double> bits_per_weight(std::string_view type);

// Whether the CPU kernels of the type look up a code book (iq1, iq2, iq3). They are far slower per
// element than their bits suggest, so a price by the nearest bits must be corrected [S7].
[[nodiscard]] bool is_codebook_quant(std::string_view type);

}  // namespace pshard
