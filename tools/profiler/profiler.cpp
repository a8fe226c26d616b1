#include "profiler/profiler.h"

#include <chrono>
#include <cstring>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "common/folders.h"
#include "common/log.h"
#include "common/output.h"
#include "machine/profile_text.h"
#include "probe/devices.h"
#include "profiler/guards.h"
#include "profiler/helper.h"
#include "profiler/measure.h"
#include "profiler/report.h"
#include "profiler/rounding.h"

namespace pshard::tool {
namespace {

constexpr int kStopped = 130;

void add_provenance(const ProfilerOptions& options, MachineProfile& profile) {
    profile.source =
        fmt::format("{} {} {}", program_of(options.kind), PSHARD_VERSION, options.command);
    profile.ggml_version = fmt::format("{} ({})", ggml_version(), ggml_commit());
    const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    profile.date = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(now));
}

int write_profile(const ProfilerOptions& options, Measured measured, Seconds took) {
    add_provenance(options, measured.profile);
    round_figures(measured.profile);
    const ProfileTexts texts = to_text(measured.profile);
    const Status written =
        commit_output(options.kind == ProfileKind::Cpu ? texts.cpu.value() : texts.gpu.value());
    if (!written) return fail(written.error().text());
    return print(profiler_report(options, measured, took), 0);
}

// Runs a profiler. It opens the output first: what cannot be written is not worth measuring. It
// captures the model before it loads backends, in a child of a process with one thread.
int run(const ProfilerOptions& options) {
    if (options.list_devices) {
        load_ggml_backends(ggml_folder());
        return print(device_list(options.json), 0);
    }
    const Status opened = begin_output(options.output);
    if (!opened) return fail(opened.error().text());
    const Result<std::vector<OpCase>> cases = cases_of(options);
    if (!cases) return fail(cases.error().text());
    load_ggml_backends(ggml_folder());
    Seconds took = 0;
    const Result<Measured> measured = [&] {
        Progress progress(options.time_limit);
        Result<Measured> result = options.kind == ProfileKind::Cpu
                                      ? measure_cpu(options, cases.value(), progress)
                                      : measure_gpu(options, cases.value(), progress);
        took = progress.elapsed();
        return result;
    }();
    if (stop_wanted()) {
        log_line(fmt::format("stopped; {} stays as it was", options.output));
        return kStopped;
    }
    if (!measured) return fail(measured.error().text());
    return write_profile(options, measured.value(), took);
}

}  // namespace

int profiler_main(ProfileKind kind, int argc, const char* const* argv) {
    const int code = guarded([&] {
        if (argc > 1 && std::strcmp(argv[1], kHelperFlag) == 0) return run_helper();
        const auto read = read_profiler_options(kind, argc, argv);
        if (const auto* early = std::get_if<EarlyExit>(&read)) return end_early(*early);
        watch_for_stop();
        prepare_ggml();
        return run(std::get<ProfilerOptions>(read));
    });
    discard_output();
    return code;
}

}  // namespace pshard::tool
