// Rows and header fields of profile files: characters to values, with the place of a fault.
// Internal to machine/.
#pragma once

#include <optional>
#include <string_view>

#include "base/result.h"
#include "machine/machine_profile.h"
#include "machine/text_columns.h"

namespace pshard {

// A CPU row also says for how many threads it was measured.
struct CpuRow {
    int n_threads = 0;
    OpRow row;
};

// 17 columns of a CPU and 14 of a GPU [S2]; anything else is an Error that names the column.
[[nodiscard]] Result<CpuRow> parse_cpu_row(const TextLine& line);
[[nodiscard]] Result<OpRow> parse_gpu_row(const TextLine& line);

// The number after `key` ("DRAM_BW="), nullopt if the key is not there or the number is 0, which
// is how the profilers say that they do not know.
[[nodiscard]] Result<std::optional<double>> header_number(const TextLine& line,
                                                          std::string_view key);

}  // namespace pshard
