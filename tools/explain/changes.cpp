#include "explain/changes.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/counted.h"
#include "machine/profile_text.h"

namespace pshard::tool {
namespace {

// The machine and the budget as they are.
Change unchanged(std::string name, const Planning& planning) {
    return {std::move(name), {}, problem_of(planning).budget, *planning.profile};
}

Change more_vram(const Planning& planning) {
    Change change = unchanged("1 GiB more VRAM", planning);
    change.budget += kGiB;
    return change;
}

Change faster_link(const Planning& planning) {
    const double before = *link_gb_per_s(*planning.profile);
    Change change = unchanged("link twice as fast", planning);
    change.profile = with_link(*planning.profile, 2 * before);
    change.remark = fmt::format("{:.3g} instead of {:.3g} GB/s", 2 * before, before);
    const auto dram = planning.profile->cpu ? planning.profile->cpu->dram_gb_per_s : std::nullopt;
    if (dram && *dram < 2 * before) {
        change.remark += fmt::format(
            ", of which the host's memory feeds {:.3g}: it, not the link, is then the limit",
            *dram);
    }
    return change;
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

// Loads the machine as the options would with the files and threads of this change; what is not
// changed is read from the same files.
Result<Machine> load_changed(const Options& options, const WhatIf& change, const Machine& machine) {
    Options changed = options;
    const auto changed_or = [](const std::string& file, const std::string& before) {
        return file.empty() ? before : file;
    };
    changed.gpu_profile = changed_or(change.gpu_profile, machine.files.gpu);
    changed.cpu_profile = changed_or(change.cpu_profile, machine.files.cpu);
    if (change.n_threads) changed.n_threads = change.n_threads;
    Result<Machine> loaded = load_machine(changed);
    if (!loaded || loaded.value().priced) return loaded;
    return Error{fmt::format("--what-if {}: this machine's profiles price no plan: a GPU, a CPU "
                             "and the link between them must be known",
                             change.text),
                 {}};
}

Result<Change> load_change(const ExplainOptions& options,
                           const WhatIf& what_if,
                           const Machine& machine,
                           const Planning& planning) {
    Change change = unchanged(what_if.text, planning);
    const bool is_other_machine = !what_if.gpu_profile.empty() || !what_if.cpu_profile.empty() ||
                                  what_if.n_threads.has_value();
    if (is_other_machine) {
        Result<Machine> loaded = load_changed(options.planning, what_if, machine);
        if (!loaded) return loaded.error();
        change.remark = new_notes(loaded.value(), machine);
        change.profile = std::move(loaded.value().profile);
    }
    if (what_if.link_gb_per_s) change.profile = with_link(*change.profile, *what_if.link_gb_per_s);
    if (!what_if.vram_mib) return change;
    const Bytes total = *what_if.vram_mib * kMiB;
    if (total <= planning.budget.taken()) {
        return Error{fmt::format("--what-if {}: draft model, projector and reserve take more than "
                                 "that VRAM",
                                 what_if.text),
                     {}};
    }
    change.budget = total - planning.budget.taken();
    return change;
}

// The most threads that the CPU profile was measured with.
Result<Change> more_threads(const ExplainOptions& options,
                            const Machine& machine,
                            const Planning& planning) {
    const int now = planning.profile->cpu->n_threads;
    const Result<MachineProfile> read = read_profile_files({machine.files.cpu, ""});
    const bool more = read && read.value().cpu && read.value().cpu->n_threads > now;
    if (!more) {
        return Change{"more threads",
                      fmt::format("not planned, the CPU profile holds no rows for more than {}",
                                  counted(now, "thread")),
                      0,
                      std::nullopt};
    }
    WhatIf what_if;
    what_if.n_threads = read.value().cpu->n_threads;
    what_if.text = fmt::format("{} instead of {}", counted(*what_if.n_threads, "thread"), now);
    return load_change(options, what_if, machine, planning);
}

}  // namespace

Result<std::vector<Change>> load_changes(const ExplainOptions& options,
                                         const Machine& machine,
                                         const Planning& planning) {
    std::vector<Change> changes;
    if (machine.pricing() == nullptr) {
        if (options.what_ifs.empty()) return changes;
        return Error{
            "--what-if needs profiles of this machine to start from: give --cpu-profile and "
            "--gpu-profile",
            {}};
    }
    changes.push_back(more_vram(planning));
    changes.push_back(faster_link(planning));
    Result<Change> threads = more_threads(options, machine, planning);
    if (!threads) return threads.error();
    changes.push_back(std::move(threads).value());
    for (const WhatIf& what_if : options.what_ifs) {
        Result<Change> change = load_change(options, what_if, machine, planning);
        if (!change) return change.error();
        changes.push_back(std::move(change).value());
    }
    return changes;
}

Scenario planned_change(const Change& change, const Planning& planning) {
    Scenario scenario;
    scenario.name = change.name;
    if (change.profile) {
        Problem problem = problem_of(planning);
        problem.profile = &*change.profile;
        problem.budget = change.budget;
        scenario = plan_again(change.name, problem);
    }
    scenario.remark = change.remark;
    return scenario;
}

}  // namespace pshard::tool
