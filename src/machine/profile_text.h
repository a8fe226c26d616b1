// The text form of a MachineProfile: cpu_profile.txt and gpu_profile.txt as the published profilers
// write them [S2], and pshard lines (`# pshard KEY=VALUE`), comments to the published reader.
// Grammar and an example: docs/formats/profile.md.
//
// The reader skips comment lines that it does not know, and is strict on rows: an Error has file,
// line, column and what was expected there. It refuses a text with fewer rows than a pshard line of
// it tells, since the text was cut off. It drops rows with a rate of 0, which the profiler writes
// for benchmarks that it skipped.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "machine/machine_profile.h"

namespace pshard {

// The texts of the two files. Either file may be missing: nullopt.
struct ProfileTexts {
    std::optional<std::string> cpu;
    std::optional<std::string> gpu;

    bool operator==(const ProfileTexts&) const = default;
};

// The names that errors have for the two files.
struct ProfileNames {
    std::string cpu = "cpu_profile.txt";
    std::string gpu = "gpu_profile.txt";
};

// profile_from_text(to_text(p)) == p, but for `notes`, if p could have been measured: rates above
// 0, points ascending, texts without line ends and op names without blanks. A value has more digits
// than the published ones only if it needs them. The facts of the machine stand in both files.
[[nodiscard]] ProfileTexts to_text(const MachineProfile& profile);

// If a CPU file holds several thread counts, the rows for `n_threads` are taken. If there are none,
// those of the nearest count are taken, and a note says so. 0: the highest count in the file.
// It is no error if both texts are missing: that profile knows nothing.
[[nodiscard]] Result<MachineProfile> profile_from_text(const ProfileTexts& texts,
                                                       int n_threads = 0,
                                                       const ProfileNames& names = {});

// The same from files. A path that does not exist is a missing file (see the profile's `cpu` and
// `gpu`). A file that cannot be read, is no regular file or holds no row of an op is an Error.
[[nodiscard]] Result<MachineProfile> read_profile_files(const ProfileNames& paths,
                                                        int n_threads = 0);

}  // namespace pshard
