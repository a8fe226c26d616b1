// The cost model against an independent measure: what a profile of the CPU says that llama-bench
// will reach, and what it reaches, on small random models that really run.
//
//   bench_cpu_accuracy cpu_profile.txt [FOLDER]     FOLDER: where the models are kept
//   bench_cpu_accuracy --interleave N [FOLDER]      N: threads
//
// Predicted is the sum over the nodes of llama.cpp's own graph, from the profile alone: no figure
// is fitted to these runs. Both are for as many threads as the profile has. Run it on a machine
// that does nothing else. docs/results/profiles.md has the tables.
//
// Where the machine itself is faster at one minute than at the next, --interleave tells more: a
// model's own ops are profiled right before and right after its llama-bench, which gives one error;
// that is done five times, and the median and the range of the five errors are told.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "capture/capture.h"
#include "cost/graph_cost.h"
#include "machine/profile_text.h"
#include "models/shapes.h"
#include "probe/dram_probe.h"
#include "probe/op_lists.h"
#include "probe/profile_ops.h"

namespace pshard {
namespace {

constexpr std::uint32_t kPrompt = 512;
constexpr std::uint32_t kGenerated = 64;
constexpr std::array kArchitectures = {"llama", "gemma3", "qwen3moe", "qwen3next"};
constexpr std::array kQuants = {"Q4_0", "Q4_K_M", "Q8_0"};

// Large enough that no cache holds the weights, small enough to be made in seconds.
constexpr TinySizes kSizes{.n_layer = 8, .n_embd = 1024, .n_ff = 2816, .n_vocab = 32000};

constexpr int kRounds = 5;  // of --interleave

struct Rates {
    double prompt = 0;  // tokens per second
    double generated = 0;
};

// One prediction beside one measurement.
struct Round {
    Rates predicted;
    Rates measured;
};

template <typename T>
T must(Result<T> result) {
    if (result) return std::move(result).value();
    fmt::print(stderr, "bench_cpu_accuracy: {}\n", result.error().text());
    std::exit(1);
}

std::filesystem::path model_file(const std::filesystem::path& folder,
                                 const std::string& architecture,
                                 const std::string& quant) {
    auto path = folder / fmt::format("accuracy-{}-{}.gguf", architecture, quant);
    if (std::filesystem::exists(path)) return path;
    const ModelShape shape = must(resized(must(find_tiny_shape(architecture)), kSizes));
    must(write_random(shape, quant, path, 1));
    return path;
}

// A graph of `n_tokens` in a context of `n_ctx`, as llama-bench sets it.
Inventory captured(const std::filesystem::path& model,
                   std::uint32_t n_ctx,
                   std::uint32_t n_tokens) {
    CaptureRequest request;
    request.model_path = model;
    request.backend_dir = PSHARD_LLAMA_BIN_DIR;
    request.context.n_ctx = n_ctx;
    request.context.n_batch = n_ctx;
    request.context.n_ubatch = n_ctx;
    request.context.output_use = OutputUse::Bench;
    request.tiers = {n_tokens};
    return must(capture_inventory(request));
}

// The two graphs of a model that are run.
struct Graphs {
    explicit Graphs(const std::filesystem::path& model)
        : prompt(captured(model, kPrompt, kPrompt)),
          generation(captured(model, 256, 1)) {}  // llama.cpp pads a context to 256 tokens

    Inventory prompt;
    Inventory generation;
};

Seconds pass_seconds(const Inventory& inventory, const Roofline& roofline, std::uint32_t depth) {
    const GraphCost cost = price_graph(inventory.graphs.front(), inventory, roofline, depth);
    return std::accumulate(
        cost.cpu.seconds.begin(), cost.cpu.seconds.end(), cost.cpu.graph_seconds);
}

Rates predict(const Graphs& graphs, const MachineProfile& profile) {
    const Roofline roofline(profile);
    return {kPrompt / pass_seconds(graphs.prompt, roofline, 0),
            1 / pass_seconds(graphs.generation, roofline, kGenerated / 2)};
}

// Of the model's own ops, in a few seconds.
MachineProfile profile_now(const Graphs& graphs, int n_threads) {
    std::vector<OpCase> cases = model_op_list(graphs.generation);
    for (OpCase& op_case : model_op_list(graphs.prompt)) cases.push_back(std::move(op_case));
    ProfileOpsOptions options;
    options.bench.n_threads = n_threads;
    options.bench.sampling.budget = 0.05;
    const MeasuredOps ops = must(profile_ops(must(find_cpu()), cases, options));
    MachineProfile profile;
    CpuProfile& cpu = profile.cpu.emplace();
    cpu.n_threads = n_threads;
    cpu.dram_gb_per_s = measure_dram_gb_per_s({.n_threads = n_threads, .seconds = 0.3}).value();
    put_ops(ops, cpu);
    return profile;
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

Rates measure(const std::filesystem::path& model, int n_threads, int n_runs) {
    const std::string command =
        fmt::format("{}/llama-bench -m '{}' -p {} -n {} -t {} -r {} -o json 2>/dev/null",
                    PSHARD_LLAMA_BIN_DIR,
                    model.string(),
                    kPrompt,
                    kGenerated,
                    n_threads,
                    n_runs);
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
    PSHARD_CHECK(pipe != nullptr);
    std::string text;
    for (int c = std::fgetc(pipe.get()); c != EOF; c = std::fgetc(pipe.get())) text += char(c);
    Rates rates;
    for (const auto& test : nlohmann::json::parse(text)) {
        const double rate = median(test["samples_ts"].get<std::vector<double>>());
        (test["n_gen"].get<int>() > 0 ? rates.generated : rates.prompt) = rate;
    }
    return rates;
}

class Table {
public:
    Table() {
        fmt::print(
            "| model | test | predicted t/s | measured t/s | error | errors of the rounds |\n");
        fmt::print(
            "|-------|------|--------------:|-------------:|------:|----------------------|\n");
    }

    void add(const std::string& model,
             const char* test,
             const std::vector<Round>& rounds,
             double Rates::*rate) {
        std::vector<double> predicted;
        std::vector<double> measured;
        std::vector<double> errors;
        for (const Round& round : rounds) {
            predicted.push_back(round.predicted.*rate);
            measured.push_back(round.measured.*rate);
            errors.push_back(predicted.back() / measured.back() - 1);
        }
        const auto [lowest, highest] = std::minmax_element(errors.begin(), errors.end());
        fmt::print("| {} | {} | {:.1f} | {:.1f} | {:+.1f} % | {:+.1f} to {:+.1f} % |\n",
                   model,
                   test,
                   median(predicted),
                   median(measured),
                   100 * median(errors),
                   100 * *lowest,
                   100 * *highest);
        std::fflush(stdout);
        errors_.push_back(std::abs(median(errors)));
    }

    void finish() const {
        fmt::print("\nmedian error {:.1f} %, worst {:.1f} %\n",
                   100 * median(errors_),
                   100 * *std::max_element(errors_.begin(), errors_.end()));
    }

private:
    std::vector<double> errors_{};
};

using RoundsOf = std::function<std::vector<Round>(const Graphs&, const std::filesystem::path&)>;

// Each beside profiles that are taken right before and right after it.
std::vector<Round> rounds_beside_profiles(const Graphs& graphs,
                                          const std::filesystem::path& model,
                                          int n_threads) {
    std::vector<Round> rounds;
    Rates before = predict(graphs, profile_now(graphs, n_threads));
    for (int i = 0; i < kRounds; ++i) {
        const Rates measured = measure(model, n_threads, 1);
        const Rates after = predict(graphs, profile_now(graphs, n_threads));
        rounds.push_back(
            {{(before.prompt + after.prompt) / 2, (before.generated + after.generated) / 2},
             measured});
        before = after;
    }
    return rounds;
}

void run(const RoundsOf& rounds_of, const std::filesystem::path& folder) {
    std::filesystem::create_directories(folder);
    Table table;
    for (const char* architecture : kArchitectures) {
        for (const char* quant : kQuants) {
            const auto model = model_file(folder, architecture, quant);
            const std::vector<Round> rounds = rounds_of(Graphs(model), model);
            const std::string name = fmt::format("{} {}", architecture, quant);
            table.add(name, "pp512", rounds, &Rates::prompt);
            table.add(name, "tg64", rounds, &Rates::generated);
        }
    }
    table.finish();
}

int run_program(const std::vector<std::string>& arguments) {
    const bool interleave = !arguments.empty() && arguments[0] == "--interleave";
    const std::size_t n_given = interleave ? 2 : 1;
    if (arguments.size() < n_given || arguments.size() > n_given + 1) {
        fmt::print(stderr,
                   "usage: bench_cpu_accuracy cpu_profile.txt|--interleave THREADS [FOLDER]\n");
        return 1;
    }
    const std::filesystem::path folder =
        arguments.size() > n_given ? std::filesystem::path(arguments.back())
                                   : std::filesystem::temp_directory_path() / "pshard-bench";
    if (interleave) {
        const int n_threads = std::max(1, std::atoi(arguments[1].c_str()));
        run([&](const Graphs& graphs,
                const auto& model) { return rounds_beside_profiles(graphs, model, n_threads); },
            folder);
        return 0;
    }
    const MachineProfile profile = must(read_profile_files({.cpu = arguments[0], .gpu = ""}));
    PSHARD_CHECK(profile.cpu.has_value());
    run(
        [&](const Graphs& graphs, const auto& model) {
            const Rates measured = measure(model, profile.cpu->n_threads, kRounds);
            return std::vector<Round>{{predict(graphs, profile), measured}};
        },
        folder);
    return 0;
}

}  // namespace
}  // namespace pshard

int main(int argc, char** argv) { return pshard::run_program({argv + 1, argv + argc}); }
