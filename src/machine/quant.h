// Sizes of ggml's tensor types, by name.
#pragma once

#include <optional>
#include <string_view>

namespace pshard {

// Bits that one element takes, block scales included: 4.5 for "q4_0" and "q4_K".
// Source: ggml-common.h of llama.cpp v0.5.0 (block sizes). nullopt: a type we do not know.
[[nodiscard]] std::optional<double> bits_per_weight(std::string_view type);

// Types whose CPU kernels look up a code book (iq1, iq2, iq3): far slower per element than their
// bits suggest, so a price by nearest bits needs a floor [S7].
[[nodiscard]] bool is_codebook_quant(std::string_view type);

}  // namespace pshard
