#include "explain/changes.h"

#include <algorithm>

#include <fmt/format.h>

#include "machine/profile_text.h"

namespace pshard::tool {
namespace {

Scenario more_vram(const Planning& planning) {
    Problem problem = problem_of(planning);
    problem.budget += kGiB;
    return plan_again("1 GiB more VRAM", problem);
}

Scenario faster_link(const Planning& planning) {
    const double before = *link_gb_per_s(*planning.profile);
    const MachineProfile profile = with_link(*planning.profile, 2 * before);
    Problem problem = problem_of(planning);
    problem.profile = &profile;
    Scenario scenario = plan_again("link twice as fast", problem);
    scenario.remark = fmt::format("{:.3g} instead of {:.3g} GB/s", 2 * before, before);
    const auto dram = planning.profile->cpu ? planning.profile->cpu->dram_gb_per_s : std::nullopt;
    if (dram && *dram < 2 * before) {
        scenario.remark += fmt::format(
            ", of which the host's memory feeds {:.3g}: it, not the link, is then the limit",
            *dram);
    }
    return scenario;
}

// Loads the machine as the options would with this change; what is not changed is read from the
// same files. `storage` keeps what is loaded.
Result<const MachineProfile*> changed_profile(const Options& options,
                                              const WhatIf& change,
                                              const Machine& machine,
                                              const Planning& planning,
                                              Machine& storage) {
    const bool other =
        !change.gpu_profile.empty() || !change.cpu_profile.empty() || change.n_threads.has_value();
    if (!other) {
        storage.profile = *planning.profile;
    } else {
        Options changed = options;
        const auto changed_or = [](const std::string& file, const std::string& before) {
            return file.empty() ? before : file;
        };
        changed.gpu_profile = changed_or(change.gpu_profile, machine.files.gpu);
        changed.cpu_profile = changed_or(change.cpu_profile, machine.files.cpu);
        if (change.n_threads) changed.n_threads = change.n_threads;
        Result<Machine> loaded = load_machine(changed);
        if (!loaded) return loaded.error();
        storage = std::move(loaded).value();
        if (!storage.priced) {
            return Error{fmt::format("--what-if {}: this machine's profiles price no plan: a GPU, "
                                     "a CPU and the link between them must be known",
                                     change.text),
                         {}};
        }
    }
    if (change.link_gb_per_s) *storage.profile = with_link(*storage.profile, *change.link_gb_per_s);
    return &*storage.profile;
}

// The notes on the changed machine that this one does not have.
std::string new_notes(const Machine& changed, const Machine& machine) {
    std::string text;
    for (const std::string& note : changed.notes) {
        const auto known = std::find(machine.notes.begin(), machine.notes.end(), note);
        if (known == machine.notes.end()) text += (text.empty() ? "" : "; ") + note;
    }
    return text;
}

Result<Scenario> planned_change(const ExplainOptions& options,
                                const WhatIf& change,
                                const Machine& machine,
                                const Planning& planning) {
    Machine changed;
    const auto profile = changed_profile(options.planning, change, machine, planning, changed);
    if (!profile) return profile.error();
    Problem problem = problem_of(planning);
    problem.profile = profile.value();
    if (change.vram_mib) {
        const Bytes total = *change.vram_mib * kMiB;
        if (total <= planning.budget.taken()) {
            return Error{fmt::format("--what-if {}: draft model, projector and reserve take more "
                                     "than that VRAM",
                                     change.text),
                         {}};
        }
        problem.budget = total - planning.budget.taken();
    }
    Scenario scenario = plan_again(change.text, problem);
    scenario.remark = new_notes(changed, machine);
    return scenario;
}

// Plans with the most threads that the CPU profile was measured with.
Result<Scenario> more_threads(const ExplainOptions& options,
                              const Machine& machine,
                              const Planning& planning) {
    const int now = planning.profile->cpu->n_threads;
    const Result<MachineProfile> read = read_profile_files({machine.files.cpu, ""});
    const bool more = read && read.value().cpu && read.value().cpu->n_threads > now;
    if (!more) {
        Scenario scenario;
        scenario.name = "more threads";
        scenario.remark =
            fmt::format("not planned, the CPU profile holds no rows for more than {} threads", now);
        return scenario;
    }
    WhatIf change;
    change.n_threads = read.value().cpu->n_threads;
    change.text = fmt::format("{} threads instead of {}", *change.n_threads, now);
    return planned_change(options, change, machine, planning);
}

}  // namespace

std::size_t count_changes(const ExplainOptions& options, const Machine& machine) {
    return machine.pricing() == nullptr ? 0 : 3 + options.what_ifs.size();
}

Result<std::vector<Scenario>> planned_changes(const ExplainOptions& options,
                                              const Machine& machine,
                                              const Planning& planning) {
    std::vector<Scenario> changes;
    if (machine.pricing() == nullptr) {
        if (options.what_ifs.empty()) return changes;
        return Error{
            "--what-if needs profiles of this machine to start from: give --cpu-profile and "
            "--gpu-profile",
            {}};
    }
    changes.push_back(more_vram(planning));
    changes.push_back(faster_link(planning));
    Result<Scenario> threads = more_threads(options, machine, planning);
    if (!threads) return threads.error();
    changes.push_back(std::move(threads).value());
    for (const WhatIf& change : options.what_ifs) {
        Result<Scenario> planned = planned_change(options, change, machine, planning);
        if (!planned) return planned.error();
        changes.push_back(std::move(planned).value());
    }
    return changes;
}

}  // namespace pshard::tool
