// Loads the machine to plan for.
//
// In: the flags. Out: its profile, whether that can price plans, its threads, and notes.
//
//   CPU file   GPU file   link     plans are
//   yes        yes        yes      priced
//   no         yes        yes      priced: a measurement of two seconds stands in for the CPU
//   else                           for an assumed machine, with a note
//
// Where the files are looked for: machine/profile_search.h. What is found in the cache is of this
// machine; its GPU is dropped where the flags speak of another device (-dev, --device-memory). A
// note names it, and one is there too where a saved inventory may have been brought from elsewhere.
//
// Traps: a profile that the user names must be a file; one by its default name may be absent. The
// stand-in is measured in a child process, since captures fork and ggml's threads would not survive
// that. A profile of another machine is taken, with a note: the user may plan for that machine.
#include "planning/machine.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <thread>

#include <fmt/format.h>

#include "common/child.h"
#include "common/folders.h"
#include "common/log.h"
#include "cost/transfer.h"
#include "machine/assumed_machine.h"
#include "machine/identity.h"
#include "machine/profile_search.h"
#include "probe/devices.h"
#include "probe/stand_in_profile.h"

namespace pshard::tool {
namespace {

int hardware_threads() {
    return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// llama.cpp's default for -t.
int default_threads() { return physical_cores().value_or(hardware_threads()); }

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

bool is_given(const Options& options, std::string_view flag) {
    return options.given.contains(std::string(flag));
}

// "cuda" of "CUDA0", the kind of a device or of a model of one.
std::string kind_of(std::string device) {
    std::erase_if(device, [](unsigned char c) { return std::isalpha(c) == 0; });
    std::ranges::transform(device, device.begin(), [](unsigned char c) { return std::tolower(c); });
    return device;
}

// The flags that speak of another device than the profile is of; empty: none does.
std::string flags_of_another_device(const Options& options, const GpuProfile& gpu) {
    constexpr double kSameMemory = 0.05;
    const auto told = static_cast<double>(options.device_memory_mib.value_or(0));
    std::string flags;
    if (is_given(options, "-dev") && kind_of(options.device) != kind_of(gpu.backend)) {
        flags = options.typed("-dev") + " " + options.device;
    }
    const double there = gpu.memory_mib.value_or(told);
    if (told > 0 && std::abs(told - there) > kSameMemory * there) {
        flags += fmt::format("{}--device-memory {}", flags.empty() ? "" : " and ", told);
    }
    return flags;
}

// Drops the GPU's profile if it is of the cache and not of the device to plan for; that of the CPU
// stays. A note names it.
Status sort_out_cached(const Options& options,
                       FoundProfiles& found,
                       std::vector<std::string>& notes) {
    if (found.cached.empty() || found.gpu.empty()) return Done{};
    if (std::ranges::count(found.cached, found.gpu) > 0) {
        const Result<MachineProfile> profile = read_profile_files({"", found.gpu});
        if (!profile) return profile.error();
        const std::string flags = flags_of_another_device(options, *profile.value().gpu);
        if (!flags.empty()) {
            notes.push_back(
                fmt::format("{} of this machine's GPU is passed over, as {} speaks of another "
                            "device; --gpu-profile takes it all the same",
                            found.gpu,
                            flags));
            found.gpu.clear();
            return Done{};
        }
    }
    if (options.inventory.empty()) return Done{};
    notes.push_back(
        fmt::format("{}, measured on this machine, price the plan: if the inventory is for "
                    "another machine, name that machine's profiles with --cpu-profile and "
                    "--gpu-profile",
                    fmt::join(found.cached, " and ")));
    return Done{};
}

// Finds the files to read, for the flags.
Result<FoundProfiles> find_files(const Options& options, PlannedFor wanted) {
    for (const std::string& path : {options.cpu_profile, options.gpu_profile}) {
        if (Status named = check_named_profile(path); !named) return named.error();
    }
    FoundProfiles found = find_profile_files({options.cpu_profile,
                                              options.gpu_profile,
                                              "",
                                              profile_cache_folder(),
                                              wanted == PlannedFor::ThisMachine},
                                             this_machine());
    std::vector<std::string> notes;
    if (Status sorted = sort_out_cached(options, found, notes); !sorted) return sorted.error();
    found.notes.insert(found.notes.end(), notes.begin(), notes.end());
    return found;
}

void note_pricing(Machine& machine) {
    const std::string missing = missing_prices(*machine.profile);
    machine.priced = missing.empty();
    if (machine.priced) return;
    machine.notes.push_back(fmt::format("{}: {}", missing, assumption()));
}

}  // namespace

Result<Machine> load_machine(const Options& options, PlannedFor wanted) {
    Result<FoundProfiles> found = find_files(options, wanted);
    if (!found) return found.error();
    Machine machine;
    machine.files = found.value().names();
    machine.notes = std::move(found.value().notes);
    std::optional<int> n_threads = options.n_threads;
    if (n_threads && *n_threads <= 0) n_threads = hardware_threads();
    Result<MachineProfile> profile = read_profile_files(machine.files, n_threads.value_or(0));
    if (!profile) return profile.error();

    if (profile.value().cpu || profile.value().gpu) machine.profile = std::move(profile).value();
    if (machine.profile) {
        const std::vector<std::string>& notes = machine.profile->notes;
        machine.notes.insert(machine.notes.end(), notes.begin(), notes.end());
        note_other_machine(machine);
        if (Status added = add_stand_in_cpu(n_threads, machine); !added) return added.error();
        note_pricing(machine);
    } else {
        machine.notes.push_back(fmt::format(
            "no profile of CPU and GPU, neither here nor in the cache: {}", assumption()));
    }
    machine.host = host_memory(options, machine.profile);
    if (!machine.host.note.empty()) machine.notes.push_back(machine.host.note);
    const bool has_cpu = machine.profile && machine.profile->cpu;
    machine.n_threads =
        n_threads.value_or(has_cpu ? machine.profile->cpu->n_threads : default_threads());
    return machine;
}

HostLimits host_limits(const Machine& machine) {
    HostLimits host;
    host.memory = machine.host.bytes;
    if (machine.profile && machine.profile->link.page_lock_ceiling_gb) {
        host.page_lock_ceiling =
            static_cast<Bytes>(*machine.profile->link.page_lock_ceiling_gb * 1e9);
    }
    return host;
}

}  // namespace pshard::tool
