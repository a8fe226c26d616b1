// Rows and header fields of profile files: characters to values, with the place of a fault.
// Internal to machine/.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "machine/machine_profile.h"

namespace pshard {

// One line of a file, without its end.
struct TextLine {
    std::string_view text;
    Place place;  // column 0
};

[[nodiscard]] std::vector<TextLine> lines_of(std::string_view text, const std::string& file);

// An error at a byte of the line; `at` counts from 0.
[[nodiscard]] Error error_at(const TextLine& line, std::size_t at, std::string message);

// A CPU row also says for how many threads it was measured.
struct CpuRow {
    int n_threads = 0;
    OpRow row;
};

// 17 columns (facts 1.3) and 14 (facts 1.4); anything else is an Error that names the column.
[[nodiscard]] Result<CpuRow> parse_cpu_row(const TextLine& line);
[[nodiscard]] Result<OpRow> parse_gpu_row(const TextLine& line);

// The number after `key` ("DRAM_BW="), nullopt if the key is not there or the number is 0, which
// is how the profilers say that they do not know.
[[nodiscard]] Result<std::optional<double>> header_number(const TextLine& line,
                                                          std::string_view key);

}  // namespace pshard
