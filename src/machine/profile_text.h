// The text form of a MachineProfile: cpu_profile.txt and gpu_profile.txt as the published profilers
// write them [S2], and pshard lines (`# pshard KEY=VALUE`), comments to the published reader.
// Grammar and an example: docs/formats/profile.md.
//
// Reading is tolerant of comment lines that it does not know, and strict on rows: an Error has
// file, line, column and what was expected there. A text with fewer rows than its header tells of
// is refused: it was cut off. Rows with a zero rate (benchmarks that the
// profiler skipped) are dropped.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "machine/machine_profile.h"

namespace pshard {

// The two files. nullopt: there is no such file, which is legal for either of them.
struct ProfileTexts {
    std::optional<std::string> cpu;
    std::optional<std::string> gpu;

    bool operator==(const ProfileTexts&) const = default;
};

// How errors name the two files.
struct ProfileNames {
    std::string cpu = "cpu_profile.txt";
    std::string gpu = "gpu_profile.txt";
};

// from_text(to_text(p)) == p but for `notes`, if p could have been measured: rates above 0, points
// ascending, texts without line ends and op names without blanks. Digits beyond the published ones
// are written only where the value needs them. Facts of the machine stand in both files.
[[nodiscard]] ProfileTexts to_text(const MachineProfile& profile);

// `n_threads`: which rows of a CPU file to take, should it hold several thread counts; if none
// match, the nearest count, and a note says so. 0: the highest count in the file.
// Both texts missing is no error: a profile that knows nothing.
[[nodiscard]] Result<MachineProfile> profile_from_text(const ProfileTexts& texts,
                                                       int n_threads = 0,
                                                       const ProfileNames& names = {});

// The same from files. A path that does not exist is a missing file (see the profile's `cpu` and
// `gpu`), one that cannot be read, is no regular file or holds no row of an op is an Error.
[[nodiscard]] Result<MachineProfile> read_profile_files(const ProfileNames& paths,
                                                        int n_threads = 0);

}  // namespace pshard
