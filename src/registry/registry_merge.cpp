#include "registry/registry_merge.h"

#include <algorithm>
#include <vector>

#include "registry/registry_blocks.h"
#include "registry/registry_text.h"

namespace pshard {
namespace {

// Joins texts of which only the last line of a file may lack its end.
void append(std::string& text, std::string_view more) {
    if (!text.empty() && !text.ends_with('\n')) text += '\n';
    text += more;
}

// The newest `limit` of `texts`, joined.
void append_newest(std::string& text, const std::vector<std::string>& texts, std::size_t limit) {
    const std::size_t n_dropped = texts.size() - std::min(limit, texts.size());
    for (std::size_t i = n_dropped; i < texts.size(); ++i) append(text, texts[i]);
}

bool is_own_section_line(const RegistryLine& line) {
    return line.text.starts_with("# pshard section");
}

// The lines above the variants. The old ones stay: they follow from the fingerprint, as the new do.
std::string merged_head(const std::vector<const SectionBlock*>& old, const RegistrySection& own) {
    if (old.empty()) return head_text(own);
    std::string text;
    bool has_own_line = false;
    for (const SectionBlock* section : old) {
        const bool is_first = section == old.front();
        for (const RegistryLine& line : section->lines) {
            if (is_first || line.kind == LineKind::Other) append(text, line.raw);
            has_own_line = has_own_line || is_own_section_line(line);
        }
    }
    if (!has_own_line) append(text, own_text(own.own));
    return text;
}

bool is_replaced(const VariantBlock& block, const RegistrySection& own) {
    return std::ranges::any_of(own.variants, [&](const RegistryVariant& variant) {
        return block.header == VariantHeader{variant.budget_mib, variant.cache_ubatch};
    });
}

std::string merged_section(const std::vector<const SectionBlock*>& old,
                           const RegistrySection& own) {
    std::vector<std::string> variants;
    for (const SectionBlock* section : old) {
        for (const VariantBlock& block : section->variants) {
            if (!is_replaced(block, own)) variants.push_back(text_of(block.lines));
        }
    }
    for (const RegistryVariant& variant : own.variants) variants.push_back(to_text(variant));
    std::string text = merged_head(old, own);
    append_newest(text, variants, kMaxVariants);
    return text;
}

}  // namespace

std::string merged_registry(std::string_view text, const RegistrySection& own) {
    const RegistryBlocks blocks = registry_blocks(text, "");
    std::vector<std::string> others;
    std::vector<const SectionBlock*> own_blocks;
    for (const SectionBlock& section : blocks.sections) {
        if (section.fingerprint == own.fingerprint) {
            own_blocks.push_back(&section);
        } else {
            others.push_back(text_of(section));
        }
    }
    // An empty file, or one that was cut off in its first line.
    std::string merged(kFirstLine.starts_with(text) ? kFirstLine : text_of(blocks.lines));
    append_newest(merged, others, kMaxSections - 1);
    append(merged, merged_section(own_blocks, own));
    return merged;
}

}  // namespace pshard
