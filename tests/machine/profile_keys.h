// Every key of the pshard lines of a profile.
#pragma once

#include <set>
#include <string>

#include "machine/profile_fields.h"

namespace pshard::test {

inline std::set<std::string> profile_keys() {
    std::set<std::string> keys = {
        std::string(kOverheadKey), std::string(kSlicedKey), std::string(kCopyKey)};
    const auto add = [&](const auto&... tables) {
        const auto add_table = [&](const auto& table) {
            for (const auto& field : table) keys.emplace(field.key);
        };
        (add_table(tables), ...);
    };
    add(kMachineTexts, kProvenanceFields, kMachineNumbers, kCpuFields, kGpuFields);
    add(kLinkFields, kLinkAnswers, kFileFields, kNoiseFields);
    return keys;
}

}  // namespace pshard::test
