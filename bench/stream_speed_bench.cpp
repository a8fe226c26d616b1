// How near a streamed run comes to what its lanes allow, on simgpu: a GPU whose rates are stated.
//
//   bench_stream_speed PLUGIN SIMGPU [FOLDER]    libggml-pshard.so, libggml-simgpu.so
//
// Each model runs in llama-bench with every layer streamed, and writes a trace. Of the passes in
// the middle of the run, with the lanes' own busy times as measured:
//
//   bound      the busiest lane: no schedule of these steps is shorter
//   simulated  the simulator's pass, when each step takes what it took
//   measured   from the end of a pass to the end of the next
//
// The rates are chosen so low that the host's own work is hidden. FOLDER keeps the models.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include <unistd.h>

#include <fmt/format.h>

#include "models/shapes.h"
#include "sim/simulator.h"
#include "trace/trace.h"

namespace pshard {
namespace {

namespace fs = std::filesystem;

constexpr std::array kArchitectures = {"llama", "gemma3", "qwen3moe", "gpt-oss"};
constexpr TinySizes kSizes{.n_layer = 8, .n_embd = 512, .n_ff = 1408, .n_vocab = 2048};
constexpr std::uint32_t kPrompt = 128;
constexpr int kWarmUpPasses = 3;
constexpr auto kRates =
    "SIMGPU_CHECK=0 SIMGPU_H2D_GBPS=0.25 SIMGPU_D2H_GBPS=0.25 SIMGPU_GFLOPS=50 SIMGPU_GBPS=0.5";

template <typename T>
T must(Result<T> result) {
    if (result) return std::move(result).value();
    fmt::print(stderr, "bench_stream_speed: {}\n", result.error().text());
    std::exit(1);
}

double median(std::vector<double> values) {
    PSHARD_CHECK(!values.empty());
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

fs::path model_file(const fs::path& folder, const std::string& architecture) {
    auto path = folder / fmt::format("stream-{}.gguf", architecture);
    if (fs::exists(path)) return path;
    const ModelShape shape = must(resized(must(find_tiny_shape(architecture)), kSizes));
    must(write_random(shape, "Q8_0", path, 1));
    return path;
}

Trace run_traced(const std::string& plugin, const std::string& simgpu, const fs::path& model) {
    const fs::path trace = model.string() + fmt::format(".{}.trace.json", getpid());
    const std::string command = fmt::format(
        "{} GGML_BACKEND_PATH='{}' PSHARD_DEVICE='{}' PSHARD_STRATEGY=0:0 PSHARD_TRACE='{}' "
        "{}/llama-bench -m '{}' -dev PSHARD0 -t 1 -p {} -n 16 -r 6 -fa 1 >/dev/null 2>&1",
        kRates,
        plugin,
        simgpu,
        trace.string(),
        PSHARD_LLAMA_BIN_DIR,
        model.string(),
        kPrompt);
    if (std::system(command.c_str()) != 0) {
        fmt::print(stderr, "bench_stream_speed: this failed: {}\n", command);
        std::exit(1);
    }
    std::ifstream file(trace);
    const std::string text(std::istreambuf_iterator<char>(file), {});
    fs::remove(trace);
    return must(from_chrome_trace(text, trace));
}

Seconds length_of(const TracedPass& pass, std::size_t step) {
    for (const Interval& interval : pass.timeline.intervals) {
        if (interval.step == static_cast<int>(step)) return interval.end - interval.begin;
    }
    return 0;
}

// What each step took, as the simulator wants to have it.
PassCosts costs_of(const TracedPass& pass) {
    PassCosts costs;
    const auto put = [](std::vector<Duration>& durations, int index, Seconds seconds) {
        const auto at = static_cast<std::size_t>(index);
        if (durations.size() <= at) durations.resize(at + 1);
        durations[at] = {seconds, seconds};
    };
    for (std::size_t i = 0; i < pass.schedule.steps.size(); ++i) {
        const auto& what = pass.schedule.steps[i].what;
        const Seconds seconds = length_of(pass, i);
        if (const auto* compute = std::get_if<Compute>(&what))
            put(costs.stages, compute->stage, seconds);
        if (const auto* load = std::get_if<Load>(&what)) put(costs.loads, load->group, seconds);
        if (const auto* store = std::get_if<Store>(&what)) put(costs.stores, store->group, seconds);
    }
    const std::size_t n_groups = std::max(costs.loads.size(), costs.stores.size());
    costs.loads.resize(n_groups);
    costs.stores.resize(n_groups);
    return costs;
}

struct Figures {
    std::vector<double> bound;
    std::vector<double> simulated;
    std::vector<double> measured;
};

Seconds end_of(const TracedPass& pass) { return pass.begin + pass.timeline.end; }

Figures figures_of(const Trace& trace, std::uint32_t n_tokens) {
    Figures figures;
    int n_alike = 0;
    for (std::size_t i = 1; i < trace.passes.size(); ++i) {
        const TracedPass& before = trace.passes[i - 1];
        const TracedPass& pass = trace.passes[i];
        const bool alike = pass.n_tokens == n_tokens && before.n_tokens == n_tokens &&
                           pass.schedule == before.schedule;
        n_alike = alike ? n_alike + 1 : 0;
        if (n_alike < kWarmUpPasses) continue;
        Seconds busiest = 0;
        for (std::size_t l = 0; l < kScheduleLanes; ++l) {
            const ScheduleLane lane = ScheduleLane::at(l);
            busiest = std::max(busiest, busy_seconds(pass.timeline, pass.schedule, lane));
        }
        figures.bound.push_back(busiest);
        figures.simulated.push_back(must(simulate(pass.schedule, costs_of(pass))).pass_seconds);
        figures.measured.push_back(end_of(pass) - end_of(before));
    }
    return figures;
}

void print_row(const std::string& name, std::uint32_t n_tokens, const Figures& figures) {
    const double bound = median(figures.bound);
    const double simulated = median(figures.simulated);
    const double measured = median(figures.measured);
    std::vector<double> sorted = figures.measured;
    std::sort(sorted.begin(), sorted.end());
    fmt::print(
        "| {} | {} | {} | {:.2f} | {:.2f} | {:.2f} ({:.2f}-{:.2f}) | {:+.1f} % | {:+.1f} % |\n",
        name,
        n_tokens,
        figures.measured.size(),
        1e3 * bound,
        1e3 * simulated,
        1e3 * measured,
        1e3 * sorted[sorted.size() / 4],
        1e3 * sorted[sorted.size() * 3 / 4],
        100 * (measured / bound - 1),
        100 * (measured / simulated - 1));
    std::fflush(stdout);
}

int run_program(const std::vector<std::string>& arguments) {
    if (arguments.size() < 2 || arguments.size() > 3) {
        fmt::print(stderr, "usage: bench_stream_speed PLUGIN SIMGPU [FOLDER]\n");
        return 1;
    }
    const fs::path folder =
        arguments.size() > 2 ? fs::path(arguments[2]) : fs::temp_directory_path() / "pshard-bench";
    fs::create_directories(folder);
    fmt::print(
        "| model | tokens | passes | bound ms | simulated ms | measured ms (quartiles) | over "
        "bound | over simulated |\n|---|--:|--:|--:|--:|--:|--:|--:|\n");
    for (const char* architecture : kArchitectures) {
        const Trace trace =
            run_traced(arguments[0], arguments[1], model_file(folder, architecture));
        for (const std::uint32_t n_tokens : {kPrompt, 1U}) {
            print_row(architecture, n_tokens, figures_of(trace, n_tokens));
        }
    }
    return 0;
}

}  // namespace
}  // namespace pshard

int main(int argc, char** argv) { return pshard::run_program({argv + 1, argv + argc}); }
