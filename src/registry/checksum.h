// Whether a variant is still as it was written.
//
// A program that writes a variant adds the line
//
//   # pshard variant checksum=0x...
//
// which is a hash of the section's fingerprint and of all other lines of the variant, the published
// ones included. Comments, blank lines and line ends do not count, so that people may write
// remarks. Whoever changes a plan on purpose deletes the line: without it nothing is compared, and
// the programs that take the plan say so.
#pragma once

#include <vector>

#include "base/fingerprint.h"
#include "registry/registry.h"
#include "registry/registry_lines.h"

namespace pshard {

// The line with a variant's checksum, if that is not the checksum of the lines; nullptr: it is, or
// there is none.
const RegistryLine* wrong_checksum(Hash64 section, const std::vector<RegistryLine>& variant);

// The checksum of a variant with these lines in a section of that fingerprint.
Hash64 checksum_of(Hash64 section, const std::vector<RegistryLine>& variant);

// The section with the checksum of each variant, as to_text() writes it.
RegistrySection sealed(RegistrySection section);

}  // namespace pshard
