#include "machine/profile_search.h"

#include <array>
#include <filesystem>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace pshard {
namespace {

namespace fs = std::filesystem;

bool is_there(const fs::path& path) {
    std::error_code code;
    return fs::exists(path, code);
}

// A profile is a pair of files, and each is compared alone: the other is a name of nothing.
Result<MachineProfile> read_one(ProfileSide side, const std::string& path) {
    return read_profile_files(side == ProfileSide::Cpu ? ProfileNames{path, ""}
                                                       : ProfileNames{"", path});
}

class Finder {
public:
    Finder(const ProfilePlaces& places, const MachineIdentity& here)
        : places_(places), here_(here) {}

    FoundProfiles find() {
        for (const Side& side : kSides) {
            const std::string& named = places_.*side.named;
            found_.*side.found = named.empty() ? in_folder(side.side) : named;
        }
        for (const Side& side : kSides) {
            if (!places_.cache.empty() && (found_.*side.found).empty()) look_into_cache(side);
        }
        return std::move(found_);
    }

private:
    struct Side {
        ProfileSide side;
        std::string ProfilePlaces::*named;
        std::string FoundProfiles::*found;
    };

    static constexpr std::array kSides = {
        Side{ProfileSide::Cpu, &ProfilePlaces::cpu, &FoundProfiles::cpu},
        Side{ProfileSide::Gpu, &ProfilePlaces::gpu, &FoundProfiles::gpu}};

    std::string in_folder(ProfileSide side) {
        const fs::path path = fs::path(places_.folder) / profile_name(side);
        if (!is_there(path)) return "";
        return !places_.runs_here || is_of_this_machine(side, path) ? path.string() : "";
    }

    void look_into_cache(const Side& side) {
        const fs::path path = fs::path(places_.cache) / profile_name(side.side);
        if (!is_there(path) || !is_of_this_machine(side.side, path)) return;
        if (const std::string other = of_another_machine(); !other.empty()) {
            pass_over(
                path, fmt::format("is not taken beside {}, of another machine", other), side.side);
            return;
        }
        found_.*side.found = path;
        found_.cached.push_back(path);
    }

    // What was found of a machine to plan for that is not this one; empty: nothing.
    std::string of_another_machine() const {
        if (places_.runs_here) return "";
        for (const Side& side : kSides) {
            const std::string& path = found_.*side.found;
            if (path.empty()) continue;
            const Result<MachineProfile> profile = read_one(side.side, path);
            if (profile && !differences(profile.value(), here_).empty()) return path;
        }
        return "";
    }

    bool is_of_this_machine(ProfileSide side, const std::string& path) {
        const Result<MachineProfile> profile = read_one(side, path);
        if (!profile) {
            found_.notes.push_back(profile.error().text() + "; it is passed over");
            return false;
        }
        const std::vector<std::string> found = differences(profile.value(), here_);
        if (found.empty()) return true;
        pass_over(path, fmt::format("is of another machine ({})", fmt::join(found, "; ")), side);
        return false;
    }

    void pass_over(const std::string& path, const std::string& why, ProfileSide side) {
        const bool cpu = side == ProfileSide::Cpu;
        found_.notes.push_back(
            fmt::format("{} {}; it is passed over, name it with {} or {} to take it all the same",
                        path,
                        why,
                        cpu ? "--cpu-profile" : "--gpu-profile",
                        cpu ? "PSHARD_CPU_PROFILE" : "PSHARD_GPU_PROFILE"));
    }

    const ProfilePlaces& places_;
    const MachineIdentity& here_;
    FoundProfiles found_;
};

}  // namespace

std::string profile_name(ProfileSide side) {
    return side == ProfileSide::Cpu ? "cpu_profile.txt" : "gpu_profile.txt";
}

std::string profile_cache(const std::string& xdg_cache_home, const std::string& home) {
    if (!xdg_cache_home.empty()) return fs::path(xdg_cache_home) / "pshard";
    return home.empty() ? "" : fs::path(home) / ".cache" / "pshard";
}

Status check_named_profile(const std::string& path) {
    if (path.empty()) return Done{};
    std::error_code code;
    const fs::file_status status = fs::status(path, code);
    if (status.type() == fs::file_type::not_found) {
        return Error{"there is no such profile", {path}};
    }
    if (status.type() == fs::file_type::regular) return Done{};
    if (code) {
        return Error{fmt::format("this profile cannot be reached: {}", code.message()), {path}};
    }
    return Error{"this is no profile but a folder, pipe or device: name a file", {path}};
}

FoundProfiles find_profile_files(const ProfilePlaces& places, const MachineIdentity& here) {
    return Finder(places, here).find();
}

}  // namespace pshard
