// The structure of a registry file: which lines make up which section and variant. Every line is in
// exactly one block, so that the joined lines are the file byte for byte, however damaged it is.
//
// A damaged header opens a block of its own that means nothing. The lines below it are kept, but
// never count for the block above.
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
    std::vector<RegistryLine> lines;    // the same, up to the first variant
    std::vector<VariantBlock> variants;
};

struct RegistryBlocks {
    std::vector<RegistryLine> lines;  // up to the first section
    std::vector<SectionBlock> sections;
    std::vector<Error> warnings;  // one for each damaged or missing header
};

// The blocks point into `text`. The messages name `file`.
RegistryBlocks registry_blocks(std::string_view text, const std::string& file);

// The lines, joined: the bytes that they were read from.
std::string text_of(const std::vector<RegistryLine>& lines);
std::string text_of(const SectionBlock& section);
std::string text_of(const RegistryBlocks& blocks);

}  // namespace pshard
