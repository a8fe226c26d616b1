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

// The lines above the variants. The old ones stay: they follow from the fingerprint, as the new do.
std::string merged_head(const std::vector<const SectionBlock*>& old, const RegistrySection& added) {
    if (old.empty()) return head_text(added);
    std::string text;
    bool has_pshard_line = false;
    for (const SectionBlock* section : old) {
        const bool is_first = section == old.front();
        for (const RegistryLine& line : section->lines) {
            if (is_first || line.kind == LineKind::Other) append(text, line.raw);
            has_pshard_line |= line.text.starts_with("# pshard section");
        }
    }
    if (!has_pshard_line) append(text, pshard_text(added.pshard));
    return text;
}

bool is_replaced(const VariantBlock& block, const RegistrySection& added) {
    return std::ranges::any_of(added.variants, [&](const RegistryVariant& variant) {
        return block.header == VariantHeader{variant.budget_mib, variant.cache_ubatch};
    });
}

std::string merged_section(const std::vector<const SectionBlock*>& old,
                           const RegistrySection& added) {
    std::vector<std::string> variants;
    for (const SectionBlock* section : old) {
        for (const VariantBlock& block : section->variants) {
            if (!is_replaced(block, added)) variants.push_back(text_of(block.lines));
        }
    }
    for (const RegistryVariant& variant : added.variants) variants.push_back(to_text(variant));
    std::string text = merged_head(old, added);
    append_newest(text, variants, kMaxVariants);
    return text;
}

}  // namespace

std::string merged_registry(std::string_view text, const RegistrySection& added) {
    const RegistryBlocks blocks = registry_blocks(text, "");
    std::vector<std::string> others;
    std::vector<const SectionBlock*> old_blocks;
    for (const SectionBlock& section : blocks.sections) {
        if (section.fingerprint == added.fingerprint) {
            old_blocks.push_back(&section);
        } else {
            others.push_back(text_of(section));
        }
    }
    // An empty file, or one that was cut off in its first line.
    std::string merged(kFirstLine.starts_with(text) ? kFirstLine : text_of(blocks.lines));
    append_newest(merged, others, kMaxSections - 1);
    append(merged, merged_section(old_blocks, added));
    return merged;
}

}  // namespace pshard
