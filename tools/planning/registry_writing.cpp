#include "planning/registry_writing.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "common/log.h"
#include "planner/registry_form.h"
#include "registry/registry_file.h"

namespace pshard::tool {
namespace {

Result<RegistrySection> section_of(const PlannedJob& planned) {
    const Planning& planning = planned.planning;
    ContextSpec context = planning.inventory.context;
    context.n_ctx = planned.job.n_ctx_given;
    const Result<SectionSettings> settings =
        section_settings(context, planning.n_threads, planning.forced);
    if (!settings) return settings.error();
    return make_section(settings.value(), planning.inventory.file_bytes);
}

constexpr std::size_t kMostWarnings = 8;

// Tells what became of the malformed and the edited plans of a registry.
void log_warnings(const std::vector<Error>& faults) {
    const std::size_t n_shown = std::min(faults.size(), kMostWarnings);
    for (std::size_t i = 0; i < n_shown; ++i) {
        log_line("warning: " + faults[i].text());
    }
    if (n_shown < faults.size()) {
        log_line(fmt::format("warning: and {} more of this registry", faults.size() - n_shown));
    }
}

Status update(const std::string& path, const RegistrySection& section) {
    const SlowNotice notice(
        fmt::format("waiting to write {}, which another process is writing", path));
    const Result<std::vector<Error>> faults = update_registry(path, section);
    if (!faults) {
        return Error{faults.error().message +
                         "; --registry FILE keeps the plan elsewhere, where "
                         "PSHARD_REGISTRY=FILE tells a run to look",
                     faults.error().place};
    }
    log_warnings(faults.value());
    return Done{};
}

}  // namespace

Status note_section(PlannedJob& planned) {
    const Result<RegistrySection> section = section_of(planned);
    if (!section) return section.error();
    planned.planning.fingerprint = section.value().fingerprint;
    return Done{};
}

Status write_plan(const std::string& path, PlannedJob& planned) {
    Result<RegistrySection> section = section_of(planned);
    if (!section) return section.error();
    Planning& planning = planned.planning;
    planning.fingerprint = section.value().fingerprint;
    if (!is_viable(planning)) return Done{};
    planning.registry_path = path;
    section.value().variants.push_back(to_registry_variant(planning));
    return update(path, section.value());
}

std::string registry_beside(const std::string& model) {
    return model + std::string(kRegistrySuffix);
}

}  // namespace pshard::tool
