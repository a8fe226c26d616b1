// Loads the machine to plan for.
//
// In: the flags. Out: its profile, whether that can price plans, its threads, and notes.
//
//   CPU file   GPU file   link     plans are
//   yes        yes        yes      priced
//   no         yes        yes      priced: a measurement of two seconds stands in for the CPU
//   else                           for an assumed machine, with a note
//
// Traps: a profile that the user names must be a file; one by its default name may be absent. The
// stand-in is measured in a child process, since captures fork and ggml's threads would not survive
// that. A profile of another machine is taken, with a note: the user may plan for that machine.
#include "planning/machine.h"

#include <algorithm>
#include <filesystem>
#include <thread>

#include <fmt/format.h>

#include "common/child.h"
#include "common/folders.h"
#include "common/log.h"
#include "cost/transfer.h"
#include "machine/assumed_machine.h"
#include "machine/identity.h"
#include "machine/profile_text.h"
#include "probe/devices.h"
#include "probe/stand_in_profile.h"

namespace pshard::tool {
namespace {

int hardware_threads() {
    return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// llama.cpp's default for -t.
int default_threads() { return physical_cores().value_or(hardware_threads()); }

Status check_named(const std::string& path) {
    if (path.empty()) return Done{};
    std::error_code code;
    const std::filesystem::file_status status = std::filesystem::status(path, code);
    if (!std::filesystem::exists(status)) return Error{"there is no such profile", {path}};
    if (std::filesystem::is_regular_file(status)) return Done{};
    return Error{"this is no profile but a folder, pipe or device: name a file", {path}};
}

constexpr Seconds kStandInSeconds = 2;

// Measures this CPU, as a profile's text. Runs in a process of its own, since ggml's threads must
// not be there when models are captured.
Result<std::string> stand_in_text(int n_threads) {
    load_ggml_backends(ggml_folder());
    Result<CpuProfile> cpu = measure_stand_in_cpu(n_threads, kStandInSeconds);
    if (!cpu) return cpu.error();
    MachineProfile profile;
    profile.cpu = std::move(cpu).value();
    return *to_text(profile).cpu;
}

// Measures this CPU for a moment if the GPU and the link are known and the CPU is not.
Status add_stand_in_cpu(const std::optional<int>& n_threads, Machine& machine) {
    MachineProfile& profile = *machine.profile;
    if (profile.cpu || !profile.gpu || !link_rates(profile)) return Done{};
    const int n = n_threads.value_or(default_threads());
    const Result<std::string> text =
        run_in_child({"measuring the CPU", [n] { return stand_in_text(n); }});
    if (!text) return text.error();
    Result<MachineProfile> measured = profile_from_text({.cpu = text.value(), .gpu = {}}, n);
    if (!measured) return measured.error();
    profile.cpu = std::move(measured.value().cpu);
    profile.provenance = Provenance::Quick;
    machine.notes.push_back(
        "no CPU profile: a measurement of two seconds stands in for it; run llama-profiler-cpu for "
        "a better one");
    return Done{};
}

// Notes where the profile is of another machine. The planner does not ask the GPU, so the profile's
// GPU is taken as it is.
void note_other_machine(Machine& machine) {
    const std::vector<std::string> found = differences(*machine.profile, this_machine());
    if (found.empty()) return;
    machine.notes.push_back(fmt::format(
        "the profile is from another machine, or this one has changed ({}): run llama-profiler-cpu "
        "and llama-profiler-gpu here, or ignore this if you plan for that machine",
        fmt::join(found, "; ")));
}

// What plans are made by where nobody has measured the machine.
std::string assumption() {
    return fmt::format("plans are for an assumed machine ({}), and no speed is predicted",
                       assumed_machine_text());
}

void note_pricing(Machine& machine) {
    const std::string missing = missing_prices(*machine.profile);
    machine.priced = missing.empty();
    if (machine.priced) return;
    machine.notes.push_back(fmt::format("{}: {}", missing, assumption()));
}

}  // namespace

Result<Machine> load_machine(const Options& options) {
    for (const std::string& path : {options.cpu_profile, options.gpu_profile}) {
        if (Status named = check_named(path); !named) return named.error();
    }
    ProfileNames names;
    if (!options.cpu_profile.empty()) names.cpu = options.cpu_profile;
    if (!options.gpu_profile.empty()) names.gpu = options.gpu_profile;
    std::optional<int> n_threads = options.n_threads;
    if (n_threads && *n_threads <= 0) n_threads = hardware_threads();
    Result<MachineProfile> profile = read_profile_files(names, n_threads.value_or(0));
    if (!profile) return profile.error();

    Machine machine;
    if (profile.value().cpu || profile.value().gpu) machine.profile = std::move(profile).value();
    if (machine.profile) {
        machine.notes = machine.profile->notes;
        note_other_machine(machine);
        if (Status added = add_stand_in_cpu(n_threads, machine); !added) return added.error();
        note_pricing(machine);
    } else {
        machine.notes.push_back(
            fmt::format("no profile ({}, {}): {}", names.cpu, names.gpu, assumption()));
    }
    const bool has_cpu = machine.profile && machine.profile->cpu;
    machine.n_threads =
        n_threads.value_or(has_cpu ? machine.profile->cpu->n_threads : default_threads());
    return machine;
}

HostLimits host_limits(const Options& options, const Machine& machine) {
    HostLimits host;
    if (options.host_memory_mib) host.memory = *options.host_memory_mib * kMiB;
    if (machine.profile && machine.profile->link.page_lock_ceiling_gb) {
        host.page_lock_ceiling =
            static_cast<Bytes>(*machine.profile->link.page_lock_ceiling_gb * 1e9);
    }
    return host;
}

}  // namespace pshard::tool
