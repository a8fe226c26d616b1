// The words for a context's settings, as llama.cpp's flags and our files spell them. They stand in
// the order of the enumerators.
#pragma once

#include <array>
#include <string_view>

namespace pshard {

inline constexpr std::array<std::string_view, 3> kFlashAttentionWords = {"off", "on", "auto"};
inline constexpr std::array<std::string_view, 4> kOutputUseWords = {
    "server", "cli", "perplexity", "bench"};

}  // namespace pshard
