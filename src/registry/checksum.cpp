#include "registry/checksum.h"

#include "registry/registry_text.h"

namespace pshard {
namespace {

bool counts(const RegistryLine& line) {
    return line.kind != LineKind::Blank && line.kind != LineKind::Other && !is_checksum(line);
}

}  // namespace

bool is_checksum(const RegistryLine& line) {
    return line.text.starts_with("# pshard variant checksum=");
}

Hash64 checksum_of(Hash64 section, const std::vector<RegistryLine>& variant) {
    std::string text = to_text(section) + "\n";
    for (const RegistryLine& line : variant) {
        if (counts(line)) text.append(line.text) += '\n';
    }
    return text_hash(text);
}

RegistrySection sealed(RegistrySection section) {
    for (RegistryVariant& variant : section.variants) {
        const std::string text = to_text(variant);
        variant.pshard.checksum = checksum_of(section.fingerprint, registry_lines(text));
    }
    return section;
}

}  // namespace pshard
