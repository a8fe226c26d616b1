// What the user asked for: flags, environment and their defaults as values.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/manual.h"
#include "inventory/context_spec.h"
#include "plan/choice.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the library's own
class App;
}

namespace pshard::tool {

enum class OutputFormat { Markdown, Json, JsonLines, Csv };

// Which context lengths llama-bench would use: its own texts, "512,1024-4096*2".
struct BenchOptions {
    bool wanted = false;                          // --bench-plan
    std::string prompts;                          // -p; these three empty: not given
    std::string generations;                      // -n
    std::string depths;                           // -d
    std::vector<std::string> prompt_generations;  // -pg, "P,N"

    bool operator==(const BenchOptions&) const = default;
};

// Absent where the user gave nothing: the defaults are llama.cpp's, or those of a saved inventory.
struct ContextOptions {
    std::optional<std::uint32_t> n_ctx;  // 0: as the model was trained
    std::optional<int> n_parallel;       // -1: as llama-server decides
    std::optional<bool> kv_unified;
    std::optional<bool> swa_full;
    std::optional<FlashAttention> flash_attention;
    std::optional<std::string> type_k;
    std::optional<std::string> type_v;
    std::optional<std::uint32_t> n_batch;
    std::optional<std::uint32_t> n_ubatch;
    std::optional<OutputUse> output_use;
    std::optional<std::uint32_t> n_outputs;
    std::optional<std::uint32_t> tier_max;

    bool operator==(const ContextOptions&) const = default;
};

struct Options {
    std::string model;
    std::string draft_model;
    std::string mmproj;
    bool mtp = false;
    ContextOptions context;
    std::optional<int> n_threads;
    std::optional<int> n_threads_batch;

    std::uint64_t max_vram_mib = 0;  // 0: device memory less fit_target_mib
    std::uint64_t fit_target_mib = 1024;
    std::uint64_t reserve_mib = 0;
    std::optional<std::uint64_t> device_memory_mib;
    std::optional<std::uint64_t> host_memory_mib;

    std::string device = "cuda";
    std::string cpu_profile;  // empty: cpu_profile.txt, if it is there
    std::string gpu_profile;
    std::optional<Strategy> forced;
    std::optional<std::uint32_t> depth;

    BenchOptions bench;
    std::string inventory;       // read instead of a model
    std::string save_inventory;  // written
    std::string registry;        // empty: beside the model
    bool no_registry = false;
    OutputFormat format = OutputFormat::Markdown;
    bool explain = false;
    bool emit_args = false;

    bool check = false;  // PSHARD_CHECK=1: rivals are verified too, not only the plan

    std::vector<std::string> refusals;  // of flags that leave nothing to plan, one sentence each
};

// What the command line comes to instead of Options.
struct EarlyExit {
    int code = 0;
    std::string text;  // help for stdout (code 0), or one sentence for stderr (code 1)
};

// Another program that plans: its own flags instead of those that write, print and list plans.
struct PlanningProgram {
    Manual page;  // what --help prints, without the flags
    std::function<void(CLI::App&)> add_flags;
};

// The environment is read as if its values stood before the arguments, so these win. Both are
// brought to "--long-name" first: llama.cpp writes "-mva", CLI11 reads only "--mva".
// `program`: nullptr for llama-pshard-plan-params.
std::variant<Options, EarlyExit> read_command_line(int argc,
                                                   const char* const* argv,
                                                   const PlanningProgram* program = nullptr);

}  // namespace pshard::tool
