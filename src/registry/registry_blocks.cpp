// How the lines of a file are laid into blocks.
//
// In:   the lines, each with its kind (registry_lines.h).
// Out:  sections with variants; the blocks hold every line of the file exactly once.
//
//     # Generated file ...            lines of the file
//
//     [fingerprint=0x...]             section 0: the blank line above it belongs to it
//     # n_ctx=... n_seq_max=...
//                                     variant 0
//     [variant budget=600 ...]
//     [tier 0 bs=1]
//     ...
//     [tier 1 bs=16]
//     ...
//     [tier 0 bs=1]                   variant 1, damaged: its header is lost
//
// The builder looks at one line after the other. A header opens a block, and every other line goes
// into the block that was opened last.
//
// Traps: a damaged header must open a block too, since its lines would otherwise count for the
// block above. A header may also be missing, which shows in four ways: a variant or a tier without
// a section above it; a tier without a variant above it; settings below a variant, though a section
// has them once and above its variants; and tier numbers that start again.
#include "registry/registry_blocks.h"

#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "registry/registry.h"

namespace pshard {
namespace {

std::string variant_form() {
    return fmt::format(
        "expected [variant budget=MIB cache_ubatch=TOKENS], from 1 to {} MiB and at most {} tokens",
        kMostMib,
        kMostTokens);
}

class BlockBuilder {
public:
    void add(const RegistryLine& line) {
        switch (line.kind) {
            case LineKind::Section:
                open_section(line,
                             parse_section_header(line.text),
                             "expected [fingerprint=0x and 16 lowercase hex digits]");
                break;
            case LineKind::Unknown:
                open_section(line, std::nullopt, "expected [fingerprint, [variant or [tier");
                break;
            case LineKind::Variant:
                add_variant_header(line);
                break;
            case LineKind::Settings:
                add_settings(line);
                break;
            case LineKind::Tier:
                add_tier_header(line);
                break;
            default:
                break;
        }
        current_lines().push_back(line);
    }

    RegistryBlocks finish() { return std::move(blocks_); }

private:
    void add_variant_header(const RegistryLine& line) {
        if (blocks_.sections.empty()) {
            open_section(line, std::nullopt, "expected a [fingerprint=...] line above");
        }
        open_variant(line, parse_variant_header(line.text), variant_form());
    }

    // Each section has its settings once, above its variants.
    void add_settings(const RegistryLine& line) {
        if (blocks_.sections.empty() || blocks_.sections.back().variants.empty()) return;
        open_section(line, std::nullopt, "expected a [fingerprint=...] line above");
    }

    // Tiers are numbered from 0. If the numbers start again, the header of a variant is lost.
    void add_tier_header(const RegistryLine& line) {
        if (blocks_.sections.empty()) {
            open_section(line, std::nullopt, "expected a [fingerprint=...] line above");
        }
        const std::optional<TierHeader> tier = parse_tier_header(line.text);
        const bool starts_again = tier && tier->index <= last_tier_;
        if (blocks_.sections.back().variants.empty() || starts_again) {
            open_variant(line, std::nullopt, "expected a [variant ...] line above");
        }
        if (tier) last_tier_ = tier->index;
    }

    void open_section(const RegistryLine& line,
                      std::optional<Hash64> fingerprint,
                      const char* expected) {
        if (!fingerprint) warn(line, expected, "section");
        std::vector<RegistryLine> blanks = take_blank_lines();
        blocks_.sections.push_back({fingerprint, std::move(blanks), {}});
        last_tier_ = -1;
    }

    void open_variant(const RegistryLine& line,
                      std::optional<VariantHeader> header,
                      const std::string& expected) {
        if (!header) warn(line, expected, "variant");
        std::vector<RegistryLine> blanks = take_blank_lines();
        blocks_.sections.back().variants.push_back({header, std::move(blanks)});
        last_tier_ = -1;
    }

    // Takes the blank lines that stand above a header: they belong to the header's block.
    std::vector<RegistryLine> take_blank_lines() {
        std::vector<RegistryLine>& lines = current_lines();
        auto begin = lines.end();
        while (begin != lines.begin() && std::prev(begin)->kind == LineKind::Blank) --begin;
        std::vector<RegistryLine> blanks(begin, lines.end());
        lines.erase(begin, lines.end());
        return blanks;
    }

    std::vector<RegistryLine>& current_lines() {
        if (blocks_.sections.empty()) return blocks_.lines;
        SectionBlock& section = blocks_.sections.back();
        return section.variants.empty() ? section.lines : section.variants.back().lines;
    }

    void warn(const RegistryLine& line, const std::string& expected, const char* level) {
        blocks_.warnings.push_back(
            line.error(0, fmt::format("{}; the lines of this {} are not used", expected, level)));
    }

    RegistryBlocks blocks_;
    int last_tier_ = -1;  // index of the last tier in the open variant; -1: none yet
};

}  // namespace

RegistryBlocks registry_blocks(std::string_view text, const std::string& file) {
    BlockBuilder builder;
    for (const RegistryLine& line : registry_lines(text, file)) builder.add(line);
    return builder.finish();
}

std::string text_of(const std::vector<RegistryLine>& lines) {
    std::string text;
    for (const RegistryLine& line : lines) text += line.raw;
    return text;
}

std::string text_of(const SectionBlock& section) {
    std::string text = text_of(section.lines);
    for (const VariantBlock& variant : section.variants) text += text_of(variant.lines);
    return text;
}

std::string text_of(const RegistryBlocks& blocks) {
    std::string text = text_of(blocks.lines);
    for (const SectionBlock& section : blocks.sections) text += text_of(section);
    return text;
}

}  // namespace pshard
