// How new variants get into a registry's text.
//
// In:   the text of the file, and a section with the new variants.
// Out:  the text of the new file.
//
//     old file           added              new file
//     section A          section B          section A        byte for byte
//     section B            variant 600      section C        byte for byte
//       variant 400                         section B        its head as it was, if sound
//       variant 600                           variant 400    byte for byte
//     section C                               variant 600    the new one
//
// The old text is cut into blocks (registry_blocks.h). A variant with the budget, the ubatch and
// the weights of a new one is dropped; all other blocks are copied. The section that changed
// becomes the last, so the order of the file is the order of age, and beyond the limits the first
// ones are dropped.
//
// The comments of a variant that is replaced are a user's, and move below the new one. So do all
// lines of one that was edited, as its checksum tells, behind "# was: ".
//
// Traps: the fingerprint of a section knows a model by the size of its first file alone, so that a
// section may hold plans of several models. A file may hold the same fingerprint more than once;
// the variants of all its sections are joined below the head of the first, with the comments of the
// others. The first line of a file may be cut off, and the last line of a block may lack its end. A
// damaged variant is kept: it counts for the limit, but for no budget.
#include "registry/registry_merge.h"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "registry/checksum.h"
#include "registry/registry_blocks.h"
#include "registry/registry_text.h"

namespace pshard {
namespace {

constexpr std::string_view kVariantStart = "# pshard variant ";
constexpr std::string_view kWas = "# was: ";  // before the lines of an edited variant

// Appends `more`, and before it the line end that the last line of a file may lack.
void append(std::string& text, std::string_view more) {
    if (!text.empty() && !text.ends_with('\n')) text += '\n';
    text += more;
}

// Appends the last `limit` of `texts`, which are the newest.
void append_newest(std::string& text, const std::vector<std::string>& texts, std::size_t limit) {
    const std::size_t n_dropped = texts.size() - std::min(limit, texts.size());
    for (std::size_t i = n_dropped; i < texts.size(); ++i) append(text, texts[i]);
}

// What the pshard lines of a head say, and whether its lines can all stay beside the new section:
// nothing in them is unreadable, or other than in the new lines.
struct OldHead {
    PshardSection pshard;
    bool is_sound = true;
};

OldHead read_head(const SectionBlock& old, const RegistrySection& added) {
    const std::string new_lines = head_text(added);
    OldHead head;
    std::ptrdiff_t n_settings = added.settings ? 1 : 0;  // that are missing
    bool has_pshard_line = false;
    for (const RegistryLine& line : old.lines) {
        if (line.kind == LineKind::Settings) {
            head.is_sound &= --n_settings >= 0 &&
                             new_lines.find(fmt::format("\n{}\n", line.text)) != new_lines.npos;
        } else if (line.kind == LineKind::Pshard) {
            Cursor pairs(line, kPshardStart.size());
            has_pshard_line = true;
            head.is_sound &= pairs.word() == "section" && read_pshard(pairs, head.pshard).empty();
        }
    }
    const bool same_bytes = head.pshard.file_bytes == added.pshard.file_bytes;
    head.is_sound &= n_settings == 0 && (same_bytes || !has_pshard_line);
    return head;
}

// The new head, with the keys that only later versions know.
std::string mended_head(const PshardSection& old, RegistrySection added) {
    for (const std::string& pair : old.unknown) {
        if (!pair.starts_with("file_bytes=")) added.pshard.unknown.push_back(pair);
    }
    return head_text(added);
}

// The lines above the variants. The old lines stay, since both the old and the new ones follow from
// the fingerprint; unless somebody has changed them, when only the remarks stay.
std::string merged_head(const std::vector<const SectionBlock*>& old, const RegistrySection& added) {
    if (old.empty()) return head_text(added);
    const OldHead first = read_head(*old.front(), added);
    std::string text = first.is_sound ? "" : mended_head(first.pshard, added);
    bool has_pshard_line = !first.is_sound;
    for (const SectionBlock* section : old) {
        const bool stays = section == old.front() && first.is_sound;
        for (const RegistryLine& line : section->lines) {
            if (stays || line.kind == LineKind::Other) append(text, line.raw);
            has_pshard_line |= stays && line.kind == LineKind::Pshard;
        }
    }
    if (!has_pshard_line) append(text, pshard_text(added.pshard));
    return text;
}

using Variants = std::vector<const VariantBlock*>;

Variants variants_of(const std::vector<const SectionBlock*>& sections) {
    Variants variants;
    for (const SectionBlock* section : sections) {
        for (const VariantBlock& block : section->variants) variants.push_back(&block);
    }
    return variants;
}

// The weights that a variant says it is for; nullopt if it does not.
std::optional<Hash64> weights_of(const VariantBlock& block) {
    PshardVariant pshard;
    for (const RegistryLine& line : block.lines) {
        if (!line.text.starts_with(kVariantStart)) continue;
        Cursor pairs(line, kVariantStart.size());
        read_pshard(pairs, pshard);  // its faults are the reader's to tell
    }
    return pshard.weights;
}

// Whether `variant` takes the place of an old one. One that does not say which weights it is for
// may be for any, as the published planner takes it.
bool replaces(const RegistryVariant& variant, const VariantBlock& block) {
    if (block.header != VariantHeader{variant.budget_mib, variant.cache_ubatch}) return false;
    const std::optional<Hash64> weights = weights_of(block);
    return !weights || !variant.pshard.weights || weights == variant.pshard.weights;
}

// Whether a line is a comment that a planner has not written.
bool is_remark(const RegistryLine& line) {
    if (line.kind == LineKind::Other) {
        const std::size_t begin = line.text.find_first_not_of(" \t");
        return line.text.substr(begin).starts_with('#');
    }
    if (line.kind != LineKind::Pshard) return false;
    const std::string_view level = Cursor(line, kPshardStart.size()).word();
    return level != "variant" && level != "tier";
}

// Appends what a user has written in a variant: the remarks, or, where lines of the plan were
// edited, all lines.
void append_remarks(std::string& text, Hash64 section, const VariantBlock& block) {
    const bool is_edited = wrong_checksum(section, block.lines) != nullptr;
    for (const RegistryLine& line : block.lines) {
        if (is_remark(line)) {
            append(text, line.raw);
        } else if (is_edited && line.kind != LineKind::Blank) {
            append(text, kWas);
            text += line.raw;
        }
    }
}

// The variant, and what a user has written in those that it replaces. Takes these out of `old`, as
// another new one may replace them, too.
std::string text_with_remarks(Hash64 section, const RegistryVariant& variant, Variants& old) {
    std::string text = to_text(variant);
    for (const VariantBlock* block : old) {
        if (replaces(variant, *block)) append_remarks(text, section, *block);
    }
    append(text, "");
    std::erase_if(old, [&](const VariantBlock* block) { return replaces(variant, *block); });
    return text;
}

bool is_replaced(const VariantBlock& block, const RegistrySection& added) {
    return std::ranges::any_of(
        added.variants, [&](const RegistryVariant& variant) { return replaces(variant, block); });
}

struct VariantText {
    std::string text;
    std::optional<Hash64> weights;
};

// The newest variants of each weights, in their order.
std::vector<std::string> newest_of_each(const std::vector<VariantText>& variants) {
    std::map<std::optional<Hash64>, std::size_t> n_kept;
    std::vector<std::string> kept;
    for (auto variant = variants.rbegin(); variant != variants.rend(); ++variant) {
        if (n_kept[variant->weights]++ < kMaxVariants) kept.push_back(variant->text);
    }
    std::ranges::reverse(kept);
    return kept;
}

std::string merged_section(const std::vector<const SectionBlock*>& sections,
                           const RegistrySection& added) {
    Variants old = variants_of(sections);
    std::vector<VariantText> variants;
    for (const VariantBlock* block : old) {
        if (!is_replaced(*block, added))
            variants.push_back({text_of(block->lines), weights_of(*block)});
    }
    for (const RegistryVariant& variant : added.variants) {
        variants.push_back(
            {text_with_remarks(added.fingerprint, variant, old), variant.pshard.weights});
    }
    std::string text = merged_head(sections, added);
    append_newest(text, newest_of_each(variants), kMaxVariants * kMaxModels);
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
    // A file that is empty, or was cut off in its first line, gets the whole first line.
    std::string merged(kFirstLine.starts_with(text) ? kFirstLine : text_of(blocks.lines));
    append_newest(merged, others, kMaxSections - 1);
    append(merged, merged_section(old_blocks, added));
    return merged;
}

std::vector<Error> replaced_edits(std::string_view text,
                                  const RegistrySection& added,
                                  const std::string& path) {
    std::vector<Error> edits;
    for (const SectionBlock& section : registry_blocks(text, path).sections) {
        if (section.fingerprint != added.fingerprint) continue;
        for (const VariantBlock& block : section.variants) {
            const RegistryLine* checksum = wrong_checksum(added.fingerprint, block.lines);
            if (checksum == nullptr || !is_replaced(block, added)) continue;
            edits.push_back(
                {fmt::format("the plan that this checksum stood in was changed after it was "
                             "written, and a new one has taken its place: its lines stay there as "
                             "comments, behind '{}'",
                             kWas),
                 checksum->place});
        }
    }
    return edits;
}

}  // namespace pshard
