// Two profiles of one machine: how far are their rows apart, and does it matter?
//
//   bench_profile_repeat CPU_A CPU_B GPU_A GPU_B
//
// Rows of both are compared one by one. Then models are planned with A and with B, and A's winner
// is priced with B's profile against B's own winner, and the other way round: what a user loses who
// measured at another hour. To plan for a GPU without one, give a reference GPU profile twice.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include <fmt/format.h>

#include "capture/capture.h"
#include "machine/profile_text.h"
#include "models/shapes.h"
#include "search/search.h"

namespace pshard {
namespace {

struct Model {
    const char* shape;
    const char* quant;
};

constexpr std::array kModels = {Model{"Llama-3.2-3B", "Q4_K_M"},
                                Model{"Llama-3.1-8B", "Q8_0"},
                                Model{"Qwen3-32B", "Q4_0"},
                                Model{"Qwen3-30B-A3B", "Q4_K_M"},
                                Model{"gpt-oss-20b", "MXFP4"},
                                Model{"Llama-3.3-70B", "Q4_K_M"}};

template <typename T>
T must(Result<T> result) {
    if (result) return std::move(result).value();
    fmt::print(stderr, "bench_profile_repeat: {}\n", result.error().text());
    std::exit(1);
}

using RowKey = std::tuple<std::string, std::string, std::vector<std::int64_t>>;

std::map<RowKey, double> rates_of(const std::vector<OpRow>& rows) {
    std::map<RowKey, double> rates;
    for (const OpRow& row : rows) {
        rates[{row.op,
               row.quant,
               {row.n,
                row.k,
                row.batch,
                row.n_tokens,
                row.ctx_len,
                row.n_heads,
                row.head_dim,
                row.n_elements}}] = row.gflops;
    }
    return rates;
}

void compare_rows(const char* name, const std::vector<OpRow>& a, const std::vector<OpRow>& b) {
    const auto other = rates_of(b);
    std::vector<double> away;
    for (const auto& [key, rate] : rates_of(a)) {
        const auto found = other.find(key);
        if (found != other.end()) away.push_back(std::abs(rate / found->second - 1));
    }
    std::sort(away.begin(), away.end());
    if (away.empty()) return;
    fmt::print(
        "{}: {} rows in both, apart by {:.1f} % in the median, {:.1f} % at the 90th of 100\n",
        name,
        away.size(),
        100 * away[away.size() / 2],
        100 * away[away.size() * 9 / 10]);
}

Inventory captured(const Model& model) {
    const auto folder = std::filesystem::temp_directory_path() / "pshard-bench";
    std::filesystem::create_directories(folder);
    const auto path = folder / fmt::format("{}-{}.gguf", model.shape, model.quant);
    if (!std::filesystem::exists(path)) {
        must(write_sparse(must(find_shape(model.shape)), model.quant, path));
    }
    CaptureRequest request;
    request.model_path = path;
    request.backend_dir = PSHARD_LLAMA_BIN_DIR;
    request.context.n_ctx = 8192;
    request.context.n_batch = 4096;
    request.context.n_ubatch = 4096;
    request.tiers = {1, 16, 512, 4096};
    return must(capture_inventory(request));
}

// A third of the model, so that there is something to place.
Problem problem_of(const Inventory& inventory, const MachineProfile& profile) {
    Bytes weights = 0;
    for (const Weight& weight : inventory.weights) weights += weight.alloc_bytes;
    return {inventory, &profile, weights / 3 + 1500 * kMiB, 4096, {}, {}};
}

// What is lost under `judge` by taking `planner`'s winner; 0 where they agree. Ends the program
// where `judge` cannot price it.
double loss(const Inventory& inventory,
            const Graph& graph,
            const MachineProfile& planner,
            const MachineProfile& judge) {
    const Problem theirs = problem_of(inventory, planner);
    const Problem own = problem_of(inventory, judge);
    const TierPlan taken = plan_tier(theirs, graph);
    const TierPlan best = plan_tier(own, graph);
    if (taken.winner() == nullptr || best.winner() == nullptr) return 0;
    Evaluator evaluator(own, graph);
    const Candidate judged = evaluator.evaluate(taken.winner()->choice, taken.winner()->options);
    if (!judged.prediction) {
        fmt::print(stderr,
                   "bench_profile_repeat: no prediction of {} at {} tokens: a profile lacks rows "
                   "that it needs, or the rates of the link\n",
                   inventory.model_name,
                   graph.n_tokens);
        std::exit(1);
    }
    return 1 - judged.prediction->tokens_per_second / best.winner()->prediction->tokens_per_second;
}

void compare_plans(const MachineProfile& a, const MachineProfile& b) {
    fmt::print("\n| model | tokens | A's plan under B loses | B's plan under A loses |\n");
    fmt::print("|-------|-------:|-----------------------:|-----------------------:|\n");
    double worst = 0;
    for (const Model& model : kModels) {
        const Inventory inventory = captured(model);
        for (const Graph& graph : inventory.graphs) {
            const double ab = loss(inventory, graph, a, b);
            const double ba = loss(inventory, graph, b, a);
            worst = std::max({worst, ab, ba});
            fmt::print("| {} {} | {} | {:.1f} % | {:.1f} % |\n",
                       model.shape,
                       model.quant,
                       graph.n_tokens,
                       100 * ab,
                       100 * ba);
        }
    }
    fmt::print("\nworst loss {:.1f} %\n", 100 * worst);
}

}  // namespace
}  // namespace pshard

int main(int argc, char** argv) {
    if (argc != 5) {
        fmt::print(stderr, "usage: bench_profile_repeat CPU_A CPU_B GPU_A GPU_B\n");
        return 1;
    }
    using pshard::must;
    const pshard::MachineProfile a = must(pshard::read_profile_files({argv[1], argv[3]}));
    const pshard::MachineProfile b = must(pshard::read_profile_files({argv[2], argv[4]}));
    pshard::compare_rows("CPU", a.cpu->rows, b.cpu->rows);
    pshard::compare_rows("GPU", a.gpu->rows, b.gpu->rows);
    pshard::compare_plans(a, b);
    return 0;
}
