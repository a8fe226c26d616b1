// The registry as a file, which several planners may write at once.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "registry/registry_text.h"

namespace pshard {

// Reads the file; a missing or empty file is an empty registry. Fails on what is no registry: a
// directory, more than 64 MiB, binary data, other text.
Result<RegistryReading> load_registry(const std::string& path);

// Puts the variants of `added` into the file, each with its checksum (registry/checksum.h). Each
// replaces the variant with the same budget, ubatch and weights in the section with the same
// fingerprint. All other lines stay byte for byte, even damaged ones; but a section keeps only the
// 8 newest variants of each weights, and the file its 10 newest sections. The section of `added`
// becomes the last one.
//
// The file is replaced as a whole or not at all, even if the program is killed, and planners that
// save at the same time wait for each other. Fails without a change if the file is no registry, or
// cannot be written.
//
// Returns what is damaged in the new file; the save kept it as it was. Also, which of the variants
// that it has replaced somebody had edited: their lines stay as comments.
Result<std::vector<Error>> update_registry(const std::string& path, const RegistrySection& added);

}  // namespace pshard
