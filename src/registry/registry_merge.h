// The text that a save makes of the text in the file [S15].
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "registry/registry.h"

namespace pshard {

inline constexpr std::size_t kMaxSections = 10;  // both limits are the published ones
inline constexpr std::size_t kMaxVariants = 8;   // for the same weights; published: in a section
inline constexpr std::size_t kMaxModels = 10;    // whose variants a section has room for

// `text` with the variants of `added` in it. Sections with other fingerprints stay byte for byte,
// and so do the other variants of the same section, even damaged ones, and the comments of those
// that are replaced. One of those that is not as it was written, by its checksum, is somebody's
// work: all its lines stay, as comments. The section of `added` becomes the last one, and its new
// variants the last ones in it. Beyond the limits, the oldest sections and variants are left out.
std::string merged_registry(std::string_view text, const RegistrySection& added);

// Tells which variants of `text`, the file `path`, that do not agree with their checksum are
// replaced by those of `added`.
std::vector<Error> replaced_edits(std::string_view text,
                                  const RegistrySection& added,
                                  const std::string& path);

}  // namespace pshard
