// From the text of a registry to its plans, and back.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "registry/registry.h"

namespace pshard {

struct RegistryReading {
    Registry registry;
    std::vector<Error> warnings;  // what was damaged, where, and what was expected there
};

// Reads every line that is not damaged. A damaged line is reported and left out, and never makes
// later lines count for an earlier header [A44]: after a damaged header nothing is believed up to
// the next header of its level or a higher one. A tier with a good header and a damaged body is not
// viable. Fails only if the text is no registry at all. The messages name `file`.
Result<RegistryReading> read_registry(std::string_view text, const std::string& file);

// The published form, with the pshard lines in comments. read_registry(to_text(r)) is r, but for
// the digits of tps and vram that the form does not keep.
std::string to_text(const Registry& registry);
std::string to_text(const RegistrySection& section);    // with the blank line above it
std::string to_text(const RegistryVariant& variant);    // with the blank line above it
std::string head_text(const RegistrySection& section);  // without its variants

// Fails if the published reader could not read back what to_text writes. It needs patterns without
// ',' and '=', words without blanks, a list that is not empty in every viable tier, and plans of
// strategies that it knows.
Status check_writable(const RegistrySection& section);

}  // namespace pshard
