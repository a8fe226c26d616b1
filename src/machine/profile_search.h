// Finds the profiles of this machine: the one place where all programs look for them.
//
//   for each of CPU and GPU:  named by the user?           -> taken as it is
//                             cpu_profile.txt in folder?   -> taken; by those who run here, only if
//                                                             it is of this machine
//                             cpu_profile.txt in cache?    -> taken if it is of this machine, and
//                                                             so is what was taken for the other
//                                                             side
//
// Why the difference: a program that runs a plan runs it here. Who only plans may have brought the
// profile of the machine to plan for into the folder; the cache holds what was measured here.
#pragma once

#include <string>
#include <vector>

#include "machine/identity.h"
#include "machine/profile_text.h"

namespace pshard {

struct ProfilePlaces {
    std::string cpu{};  // named by a flag or a variable; empty: not named
    std::string gpu{};
    std::string folder{};    // empty: the working directory
    std::string cache{};     // empty: there is none
    bool runs_here = false;  // the plan is for this machine
};

struct FoundProfiles {
    std::string cpu;  // paths; empty: there is none
    std::string gpu;
    std::vector<std::string> cached;  // those of them that lie in the cache
    std::vector<std::string> notes;   // what was passed over and why, one sentence each

    // For read_profile_files().
    [[nodiscard]] ProfileNames names() const { return {cpu, gpu}; }
};

enum class ProfileSide { Cpu, Gpu };

[[nodiscard]] std::string profile_name(ProfileSide side);  // "cpu_profile.txt"

// The folder of the profiles that llama-pshard-run measures: pshard in $XDG_CACHE_HOME, else in
// ~/.cache. Empty where neither variable is set.
[[nodiscard]] std::string profile_cache(const std::string& xdg_cache_home, const std::string& home);

// Fails unless `path`, which a user has named, is a file; "" is not named.
[[nodiscard]] Status check_named_profile(const std::string& path);

// `here`: with the name of the GPU where it is known. A file that cannot be read is passed over
// with a note, unless the user has named it.
[[nodiscard]] FoundProfiles find_profile_files(const ProfilePlaces& places,
                                               const MachineIdentity& here);

}  // namespace pshard
