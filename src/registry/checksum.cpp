#include "registry/checksum.h"

#include <algorithm>

#include "registry/registry_text.h"

namespace pshard {
namespace {

constexpr std::string_view kChecksumKey = "checksum=";

struct LinePairs {
    std::size_t n_checksums = 0;
    std::size_t n_others = 0;
    std::string_view checksum{};  // the last one
};

// The pairs of a pshard line of a variant; none in any other line.
LinePairs pairs_of(const RegistryLine& line) {
    LinePairs pairs;
    if (line.kind != LineKind::Pshard) return pairs;
    Cursor in(line, kPshardStart.size());
    if (in.word() != "variant") return pairs;
    while (in.has_word()) {
        const std::string_view pair = in.word();
        const bool is_checksum = pair.starts_with(kChecksumKey);
        ++(is_checksum ? pairs.n_checksums : pairs.n_others);
        if (is_checksum) pairs.checksum = pair.substr(kChecksumKey.size());
    }
    return pairs;
}

// Whether the line is nothing but the checksum. What else stands beside one counts, so that no such
// checksum is right.
bool is_checksum(const RegistryLine& line) {
    const LinePairs pairs = pairs_of(line);
    return pairs.n_checksums == 1 && pairs.n_others == 0;
}

bool counts(const RegistryLine& line) {
    return line.kind != LineKind::Blank && line.kind != LineKind::Other && !is_checksum(line);
}

}  // namespace

Hash64 checksum_of(Hash64 section, const std::vector<RegistryLine>& variant) {
    std::string text = to_text(section) + "\n";
    for (const RegistryLine& line : variant) {
        if (counts(line)) text.append(line.text) += '\n';
    }
    return text_hash(text);
}

const RegistryLine* wrong_checksum(Hash64 section, const std::vector<RegistryLine>& variant) {
    const auto has_checksum = [](const RegistryLine& line) {
        return pairs_of(line).n_checksums > 0;
    };
    const auto line = std::ranges::find_if(variant, has_checksum);
    if (line == variant.end()) return nullptr;
    const bool is_right = std::ranges::count_if(variant, has_checksum) == 1 && is_checksum(*line) &&
                          hash_of(pairs_of(*line).checksum) == checksum_of(section, variant);
    return is_right ? nullptr : &*line;
}

RegistrySection sealed(RegistrySection section) {
    for (RegistryVariant& variant : section.variants) {
        const std::string text = to_text(variant);
        variant.pshard.checksum = checksum_of(section.fingerprint, registry_lines(text));
    }
    return section;
}

}  // namespace pshard
