#include "profiler/options.h"

#include <algorithm>
#include <map>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include "machine/identity.h"

namespace pshard::tool {
namespace {

constexpr int kFastSeconds = 60;

int default_threads() {
    const int threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    return std::min(physical_cores().value_or(threads), threads);
}

class ProfilerFlags {
public:
    explicit ProfilerFlags(Side side) {
        options_.side = side;
        options_.output = side == Side::Cpu ? "cpu_profile.txt" : "gpu_profile.txt";
        options_.n_threads = default_threads();
        app_.description(
            side == Side::Cpu
                ? "Measures the CPU, its memory and the link to the GPU, on ggml's own "
                  "backends, and writes cpu_profile.txt for llama-pshard-plan-params."
                : "Measures the GPU on ggml's own backend and writes gpu_profile.txt "
                  "for llama-pshard-plan-params.");
        app_.footer("Exit codes: 0 done, 1 failed, 130 stopped by Ctrl-C: the old file stays.");
        add_what();
        add_how();
    }

    std::variant<ProfilerOptions, ProfilerExit> read(int argc, const char* const* argv) {
        try {
            app_.parse(argc, argv);
        } catch (const CLI::CallForHelp&) {
            return ProfilerExit{0, app_.help()};
        } catch (const CLI::ParseError& error) {
            return ProfilerExit{1, error.what()};
        }
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
            ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20U))
            ->expected(1)
            ->take_all();
    }

    void add_how() {
        app_.add_option("--output", options_.output, "The file to write")->capture_default_str();
        if (options_.side == Side::Cpu) {
            app_.add_option("-t,--threads", options_.n_threads, "Threads of the CPU's ops")
                ->check(CLI::Range(1, 4096))
                ->capture_default_str();
        }
        app_.add_option(
            "--device", options_.device, "The GPU, by ggml's name (default: the first)");
        app_.add_flag("--list-devices", options_.list_devices, "Print ggml's devices, and exit");
        app_.add_option("-o,--output-format", format_, "What goes to stdout")
            ->check(CLI::IsMember({"text", "json"}))
            ->capture_default_str();
        app_.add_option(
                "--time-limit",
                options_.time_limit,
                fmt::format("Seconds (default: {} with --fast, none with --full)", kFastSeconds))
            ->check(CLI::PositiveNumber);
    }

    CLI::App app_{};
    ProfilerOptions options_{};
    std::string format_ = "text";
};

}  // namespace

std::variant<ProfilerOptions, ProfilerExit> read_profiler_options(Side side,
                                                                  int argc,
                                                                  const char* const* argv) {
    return ProfilerFlags(side).read(argc, argv);
}

}  // namespace pshard::tool
