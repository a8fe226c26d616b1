// The registry as a file that several planners may write at once.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "registry/registry_text.h"

namespace pshard {

// Reads the file; an absent or empty one is an empty registry. Fails on what is not a registry: a
// directory, more than 64 MiB, binary data, other text.
Result<RegistryReading> load_registry(const std::string& path);

// Puts the variants of `added` into the file: each replaces the variant with the same budget and
// ubatch in the section with the same fingerprint. All else stays byte for byte, malformed lines
// included; only of more than 8 variants or 10 sections the oldest go. The section becomes the
// last.
//
// The file is replaced as a whole or not at all, also if the program is killed, and other planners
// that do the same wait for each other. Fails without a change if the file is not a registry, or
// cannot be written.
//
// Returns what is malformed in the file that now stands there, and was kept as it was.
Result<std::vector<Error>> update_registry(const std::string& path, const RegistrySection& added);

}  // namespace pshard
