// What a save makes of the text that is in the file [S15].
#pragma once

#include <string>
#include <string_view>

#include "registry/registry.h"

namespace pshard {

inline constexpr std::size_t kMaxSections = 10;  // as published
inline constexpr std::size_t kMaxVariants = 8;

// `text` with the variants of `added` in it. Sections with other fingerprints stay byte for byte,
// and so do other variants of the same section, damaged ones included. The section of `added`
// becomes the last, its new variants the last in it; beyond the limits the oldest are left out.
std::string merged_registry(std::string_view text, const RegistrySection& added);

}  // namespace pshard
