// Text <-> Registry.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "registry/registry.h"

namespace pshard {

struct RegistryReading {
    Registry registry;
    std::vector<Error> warnings;  // what was malformed, where, and what was expected there
};

// Reads all that is well-formed. What is not is reported and left out, and never lets later lines
// count for an earlier header [A44]: after a malformed header nothing is believed up to the
// next header of its level or a higher one. A tier with a good header and a bad body is not viable.
// Fails only if the text is no registry at all. `file` is for the messages.
Result<RegistryReading> read_registry(std::string_view text, const std::string& file);

// The published form, with the pshard lines in comments. read_registry(to_text(r)) is r, up to the
// digits that the form keeps of tps and vram.
std::string to_text(const Registry& registry);
std::string to_text(const RegistrySection& section);    // with the blank line above it
std::string to_text(const RegistryVariant& variant);    // with the blank line above it
std::string head_text(const RegistrySection& section);  // without its variants

// Whether the published reader would read back what to_text writes: patterns without ',' and '=',
// words without blanks, a non-empty list in every viable tier, no plan that it does not know.
Status check_writable(const RegistrySection& section);

}  // namespace pshard
