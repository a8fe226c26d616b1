#include "profiler/options.h"

#include <algorithm>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include "common/command_line.h"
#include "common/log.h"
#include "common/manual.h"
#include "machine/identity.h"

namespace pshard::tool {
namespace {

constexpr int kFastSeconds = 60;

int default_threads() {
    const int threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    return std::min(physical_cores().value_or(threads), threads);
}

std::string profiler_manual(ProfileKind kind, const CLI::App& app) {
    const bool cpu = kind == ProfileKind::Cpu;
    const std::string file = cpu ? "cpu_profile.txt" : "gpu_profile.txt";
    Manual manual;
    manual.name = program_of(kind);
    manual.purpose = cpu ? "measures the CPU, its memory and the link to the GPU"
                         : "measures a GPU, and the link to it where no CPU profile has it";
    manual.synopsis = {manual.name + " [FLAG]..."};
    manual.description = {
        fmt::format("Times llama.cpp's kernels on ggml's own backends and writes {} for "
                    "llama-pshard-plan-params. Let nothing else run meanwhile.",
                    file)};
    manual.options = option_groups(app);
    manual.environment = {
        {"GGML_BACKEND_PATH", "a backend that ggml does not find by itself, as libggml-cuda.so"}};
    manual.files = {{file, "what was measured (--output)"}};
    manual.exit_status = {{"0", "measured and written"},
                          {"1", "an error; the file is as it was"},
                          {"130", "stopped by Ctrl-C or SIGTERM; the file is as it was"}};
    manual.examples = {{manual.name, "measures what tells most, in a minute"},
                       {manual.name + " --full", "measures all types, shapes and batches"}};
    manual.see_also = fmt::format("{}(1), llama-pshard-plan-params(1), llama-pshard-run(1)",
                                  program_of(cpu ? ProfileKind::Gpu : ProfileKind::Cpu));
    return manual_text(manual);
}

class ProfilerFlags {
public:
    explicit ProfilerFlags(ProfileKind kind) {
        options_.kind = kind;
        options_.output = kind == ProfileKind::Cpu ? "cpu_profile.txt" : "gpu_profile.txt";
        options_.n_threads = default_threads();
        app_.set_version_flag("--version", fmt::format("{} {}", program_of(kind), PSHARD_VERSION));
        app_.option_defaults()->group("What to measure");
        add_what();
        app_.option_defaults()->group("How");
        add_how();
    }

    std::variant<ProfilerOptions, EarlyExit> read(int argc, const char* const* argv) {
        const auto manual = [this] { return profiler_manual(options_.kind, app_); };
        if (auto early = parse(app_, arguments_of(argc, argv), manual)) return std::move(*early);
        options_.json = format_ == "json";
        if (!options_.time_limit && !options_.full) options_.time_limit = Seconds{kFastSeconds};
        options_.command = fmt::format("{}", fmt::join(argv + 1, argv + argc, " "));
        return options_;
    }

private:
    void add_what() {
        bool& full = options_.full;
        auto* fast = app_.add_flag_callback(
            "--fast", [&full] { full = false; }, "What tells most, in a minute (default)");
        app_.add_flag("--full", full, "All types, shapes and batches")->excludes(fast);
        auto* model = app_.add_option(
            "-m,--model", options_.model, "Measure what this model's graphs hold (GGUF)");
        app_.add_option("--inventory", options_.inventory, "The same, of a saved inventory")
            ->excludes(model);
        app_.add_option(
                "--batch", options_.batches, "Measure batches of N tokens alone; may repeat")
            ->check(whole_number(1, 1U << 20U))
            ->expected(1)
            ->take_all();
    }

    void add_how() {
        app_.add_option("--output", options_.output, "The file to write")->capture_default_str();
        if (options_.kind == ProfileKind::Cpu) {
            app_.add_option("-t,--threads", options_.n_threads, "Threads of the CPU's ops")
                ->check(whole_number(1, 4096))
                ->capture_default_str();
        }
        app_.add_option(
            "--device", options_.device, "The GPU, by ggml's name (default: the first)");
        app_.add_flag("--list-devices", options_.list_devices, "Print ggml's devices, and exit");
        app_.add_option("-o,--output-format", format_, "What goes to stdout")
            ->type_name("text|json")
            ->check(one_of({"text", "json"}))
            ->capture_default_str();
        app_.add_option(
                "--time-limit",
                options_.time_limit,
                fmt::format("Seconds (default: {} with --fast, none with --full)", kFastSeconds))
            ->check(seconds_above_zero());
        app_.add_flag_callback("--quiet", silence_progress, "No progress on stderr");
    }

    CLI::App app_{};
    ProfilerOptions options_{};
    std::string format_ = "text";
};

}  // namespace

const char* program_of(ProfileKind kind) {
    return kind == ProfileKind::Cpu ? "llama-profiler-cpu" : "llama-profiler-gpu";
}

std::variant<ProfilerOptions, EarlyExit> read_profiler_options(ProfileKind kind,
                                                               int argc,
                                                               const char* const* argv) {
    return ProfilerFlags(kind).read(argc, argv);
}

}  // namespace pshard::tool
