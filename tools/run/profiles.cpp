// Finds the profiles of this machine, or measures them once.
//
// In: what the user named, this folder, the cache, and the program that will run. Out: the names of
// a CPU profile and a GPU profile, and notes for the user. Each name may be empty.
//
//   find_profile_files()      -> what is named, in this folder or in the cache, of this machine
//   both found                -> done
//   no GPU, and no profile    -> done: plans are for an assumed machine
//   no cache                  -> done, likewise: there is no folder to measure into
//   a dry run                 -> done, with a note: a dry run measures nothing
//   else                      -> what is missing is measured into the cache, the GPU first
//
// Traps:
// * A profile that the user names is never compared with this machine: the user may plan for
//   another.
// * GGML_BACKEND_PATH may name libggml-pshard.so. The profiler must measure the device behind that
//   library, so the variable is replaced or dropped.
// * The CPU that stands in for a GPU (PSHARD_DEVICE=CPU) is not worth measuring as one.
#include "run/profiles.h"

#include <algorithm>
#include <filesystem>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "common/folders.h"
#include "common/log.h"
#include "cost/transfer.h"
#include "machine/identity.h"
#include "machine/profile_search.h"

namespace pshard::tool {
namespace {

namespace fs = std::filesystem;

constexpr ProfileSide kCpu = ProfileSide::Cpu;
constexpr ProfileSide kGpu = ProfileSide::Gpu;

class Finder {
public:
    Finder(const RunOptions& options, const Surroundings& here, const HostProgram& program)
        : options_(options), here_(here), program_(program), inner_(inner_device(here)) {}

    Result<Profiles> find() {
        std::string cpu = options_.plan.cpu_profile;
        std::string gpu = options_.plan.gpu_profile;
        for (std::string* path : {&cpu, &gpu}) {
            if (const Status made = make_absolute(*path); !made) return made.error();
        }
        std::error_code gone;
        FoundProfiles found = find_profile_files({cpu,
                                                  gpu,
                                                  fs::current_path(gone),
                                                  here_.profile_cache,
                                                  /*runs_here=*/true},
                                                 this_machine());
        profiles_ = {found.cpu, found.gpu, std::move(found.notes)};
        if (!profiles_.cpu.empty() && !profiles_.gpu.empty()) return profiles_;
        if (profiles_.gpu.empty() && !has_gpu()) {
            profiles_.notes.push_back(
                "no GPU was found to measure: plans are for an assumed machine, and no speed is "
                "told");
            return profiles_;
        }
        if (here_.profile_cache.empty()) {
            profiles_.notes.push_back(
                "this machine is not measured, as neither HOME nor XDG_CACHE_HOME names a place "
                "for its profiles: plans are for an assumed machine, and no speed is told");
            return profiles_;
        }
        if (options_.dry_run) {
            profiles_.notes.push_back(
                "this machine was not measured yet, and a dry run does not: without --dry-run it "
                "would be, which takes a minute or two, and the plan may differ");
            return profiles_;
        }
        for (const ProfileSide side : {kGpu, kCpu}) {
            if (const Status measured = measure(side); !measured) return measured.error();
        }
        return profiles_;
    }

private:
    std::string& file(ProfileSide side) { return side == kCpu ? profiles_.cpu : profiles_.gpu; }

    [[nodiscard]] std::string cached(ProfileSide side) const {
        return fs::path(here_.profile_cache) / profile_name(side);
    }

    [[nodiscard]] Command profiler(ProfileSide side, std::vector<std::string> arguments) const {
        const std::string name = side == kCpu ? "llama-profiler-cpu" : "llama-profiler-gpu";
        Command command{{fs::path(here_.folder) / name}, here_.environment};
        command.words.insert(command.words.end(), arguments.begin(), arguments.end());
        const std::string library =
            inner_.library.empty() ? gpu_backend_beside(program_) : inner_.library;
        command.environment.erase("GGML_BACKEND_PATH");
        if (!library.empty()) command.environment["GGML_BACKEND_PATH"] = library;
        return command;
    }

    // Whether there is a GPU that PSHARD0 would compute on.
    [[nodiscard]] bool has_gpu() const {
        if (inner_.is_cpu()) return false;
        const Result<Finished> asked =
            run_command(profiler(kGpu, {"--list-devices", "-o", "json"}), Catch::Out);
        if (!asked) return false;
        const auto devices = nlohmann::json::parse(asked.value().out, nullptr, false);
        if (!devices.is_array()) return false;
        return std::any_of(devices.begin(), devices.end(), [&](const nlohmann::json& device) {
            const bool named = inner_.name.empty() || device.value("name", "") == inner_.name;
            return named && device.value("gpu", false);
        });
    }

    // Measures the CPU or the GPU into the cache, unless it has a profile already.
    Status measure(ProfileSide side) {
        if (!file(side).empty()) return Done{};
        std::error_code code;
        fs::create_directories(here_.profile_cache, code);
        if (code) {
            return Error{fmt::format("cannot be made: {}; set XDG_CACHE_HOME to a folder for the "
                                     "profiles",
                                     code.message()),
                         {here_.profile_cache}};
        }
        log_line(fmt::format("measuring the {}, once; let nothing else run meanwhile",
                             side == kCpu ? "CPU" : "GPU"));
        const Result<Finished> measured =
            run_command(profiler(side, measuring(side)), Catch::Out);  // the bar is on stderr
        if (!measured) return measured.error();
        if (measured.value().exit_code != 0) {
            return Error{
                "this machine could not be measured (above); without a profile, give "
                "--cpu-profile and --gpu-profile of one like it",
                {}};
        }
        file(side) = cached(side);
        return Done{};
    }

    [[nodiscard]] std::vector<std::string> measuring(ProfileSide side) const {
        std::vector<std::string> arguments = {"--output", cached(side)};
        if (!inner_.name.empty()) arguments.insert(arguments.end(), {"--device", inner_.name});
        if (!options_.time_limit.empty()) {
            arguments.insert(arguments.end(), {"--time-limit", options_.time_limit});
        }
        if (options_.plan.quiet) arguments.emplace_back("--quiet");
        return arguments;
    }

    const RunOptions& options_;
    const Surroundings& here_;
    const HostProgram& program_;
    InnerDevice inner_;
    Profiles profiles_;
};

int hardware_threads() {
    return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace

Result<Profiles> find_profiles(const RunOptions& options,
                               const Surroundings& here,
                               const HostProgram& program) {
    return Finder(options, here, program).find();
}

Result<std::optional<MachineProfile>> read_profiles(const Profiles& profiles, int n_threads) {
    std::optional<MachineProfile> none;
    if (profiles.cpu.empty() || profiles.gpu.empty()) return none;
    Result<MachineProfile> profile = read_profile_files({profiles.cpu, profiles.gpu}, n_threads);
    if (!profile) return profile.error();
    if (!missing_prices(profile.value()).empty()) return none;
    return std::optional(std::move(profile).value());
}

Result<int> threads_of(const RunOptions& options, const Profiles& profiles) {
    const std::optional<int> given = options.plan.n_threads;
    if (given) return *given > 0 ? *given : hardware_threads();
    if (!profiles.cpu.empty()) {
        const Result<MachineProfile> profile = read_profile_files({profiles.cpu, ""});
        if (!profile) return profile.error();
        if (profile.value().cpu) return profile.value().cpu->n_threads;
    }
    return physical_cores().value_or(hardware_threads());
}

}  // namespace pshard::tool
