// The structure of a registry file: which lines make up which section and variant. Every line is in
// exactly one place, so that the lines, joined, are the file byte for byte, however damaged it is.
//
// A damaged header opens a block of its own that means nothing: what stands below it is kept, but
// never counts for the block above.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fingerprint.h"
#include "base/result.h"
#include "registry/registry_lines.h"

namespace pshard {

struct VariantBlock {
    std::optional<VariantHeader> header;  // nullopt: damaged
    std::vector<RegistryLine> lines;      // blank lines above the header, the header, the rest
};

struct SectionBlock {
    std::optional<Hash64> fingerprint;  // nullopt: damaged
    std::vector<RegistryLine> lines;    // as above, up to the first variant
    std::vector<VariantBlock> variants;
};

struct RegistryBlocks {
    std::vector<RegistryLine> lines;  // up to the first section
    std::vector<SectionBlock> sections;
    std::vector<Error> warnings;  // damaged or missing headers of sections and variants
};

// The blocks point into `text`. `file` is for the messages.
RegistryBlocks registry_blocks(std::string_view text, const std::string& file);

// The lines, joined: the bytes that they were read from.
std::string text_of(const std::vector<RegistryLine>& lines);
std::string text_of(const SectionBlock& section);
std::string text_of(const RegistryBlocks& blocks);

}  // namespace pshard
