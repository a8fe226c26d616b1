#include "machine/profile_fields.h"

namespace pshard {
namespace {

template <typename Record>
void add_keys(std::vector<std::string_view>& keys, std::span<const Field<Record>> fields) {
    for (const Field<Record>& field : fields) keys.push_back(field.key);
}

}  // namespace

void write_number(std::string& out, double value, int decimals) {
    const std::string published = fmt::format("{:.{}f}", value, decimals);
    out += number_of<double>(published) == value ? published : fmt::format("{}", value);
}

std::vector<std::string_view> profile_keys() {
    std::vector<std::string_view> keys = {kOverheadKey, kSlicedKey, kCopyKey};
    add_keys<MachineProfile>(keys, kMachineTexts);
    add_keys<MachineProfile>(keys, kProvenanceFields);
    add_keys<MachineProfile>(keys, kMachineNumbers);
    add_keys<CpuProfile>(keys, kCpuFields);
    add_keys<GpuProfile>(keys, kGpuFields);
    add_keys<LinkProfile>(keys, kLinkFields);
    add_keys<LinkProfile>(keys, kLinkAnswers);
    add_keys<FileFacts>(keys, kFileFields);
    add_keys<OpRow>(keys, kNoiseFields);
    return keys;
}

}  // namespace pshard
