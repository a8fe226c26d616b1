// Reads `# pshard KEY=VALUE` into a profile. Internal to machine/.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "machine/machine_profile.h"
#include "machine/text_columns.h"

namespace pshard {

[[nodiscard]] bool is_key_line(std::string_view text);

// How many rows the file had when it was written; nullopt: nobody says.
[[nodiscard]] Result<std::optional<std::int64_t>> told_rows(const std::vector<TextLine>& lines);

// Keys that we do not know are left for a later version. Facts of a half that the profile does not
// have are dropped.
[[nodiscard]] Status apply_key_lines(const std::vector<TextLine>& lines, MachineProfile& profile);

// Hands `row.noisy_percent` to the row that stands directly below it. Blank lines do not count.
class NoiseReader {
public:
    // For each line that is not blank, before anything else is done with it: true if it was one.
    [[nodiscard]] Result<bool> take(const TextLine& line);
    void give(OpRow& row);
    // Nothing may be left at the end of a file.
    [[nodiscard]] Status finish() const;

private:
    std::optional<TextLine> line_;  // that waits for its row
    double percent_ = 0;
};

}  // namespace pshard
