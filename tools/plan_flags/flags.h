// The planner's flags: what they set, and one row for each.
//
// A new flag is a field of Options and a row of kFlags, both here; whoever obeys it reads the
// field. The command line, the environment, the help, the man page, the completion, the page in
// docs/cli and the launcher are made from the rows.
//
// Names, meanings and defaults are llama.cpp's where it has the flag (common/arg.cpp, v0.5.0).
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "inventory/context_spec.h"
#include "plan/choice.h"

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

// Flags of llama.cpp's that would place tensors against the plan: accepted, so that the refusal can
// name its reason.
struct RefusedOptions {
    std::string split_mode;
    std::string n_gpu_layers;
    std::string tensor_split;
    std::string override_tensor;
    std::string n_cpu_moe;
    std::string n_cpu_ffn;
    std::optional<bool> cpu_moe;
    std::optional<bool> kv_offload;
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
    std::optional<Strategy> forced;  // by PSHARD_STRATEGY
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

    RefusedOptions refused;
    std::vector<std::string> refusals;  // of flags that leave nothing to plan, one sentence each
    std::vector<std::string> given;  // the flags that were given, by the first name of their rows
};

// Where a value goes, which also says how it is read: a text, a number, a flag without a value.
using FlagTarget = std::variant<std::string*,
                                std::optional<std::string>*,
                                std::vector<std::string>*,
                                bool*,
                                std::optional<bool>*,
                                std::optional<int>*,
                                std::optional<std::uint32_t>*,
                                std::uint64_t*,
                                std::optional<std::uint64_t>*>;

// Numbers from `least` to `most`.
struct FlagRange {
    std::int64_t least = 0;
    std::uint64_t most = 0;
};

inline constexpr FlagRange kTokensFrom0 = {0, std::numeric_limits<std::int32_t>::max()};
inline constexpr FlagRange kTokens = {1, std::numeric_limits<std::int32_t>::max()};
inline constexpr FlagRange kMibFrom0 = {0, std::numeric_limits<std::uint32_t>::max()};
inline constexpr FlagRange kMib = {1, std::numeric_limits<std::uint32_t>::max()};
inline constexpr FlagRange kThreads = {-1, 4096};
inline constexpr FlagRange kSequences = {-1, 256};  // llama.cpp's LLAMA_MAX_SEQ

// What llama-pshard-run makes of a flag: takes it, does not tell of it, or refuses it.
enum class InRun { Taken, Hidden, Refused };

enum class FlagGroup { Model, Context, Budget, Machine, Bench, Output, Refused };

struct Flag {
    FlagGroup group = FlagGroup::Model;
    const char* names = "";  // as they are written, the negative ones behind a "!"
    const char* value = "";  // what stands for the value in the help
    FlagTarget (*target)(Options&) = nullptr;
    const char* help = "";
    FlagRange range{};               // of numbers
    const char* words = "";          // the only ones that there are, by "|"; "": any
    const char* variable = nullptr;  // of the environment
    InRun in_run = InRun::Taken;
    const char* help_in_run = nullptr;  // where it differs
    // Instead of a target: takes a text, and returns what is wrong with it.
    std::string (*take)(Options&, const std::string&) = nullptr;
};

// For `take`. "": nothing is wrong.
std::string take_flash_attention(Options& options, const std::string& text);
std::string take_type_k(Options& options, const std::string& text);
std::string take_type_v(Options& options, const std::string& text);
std::string take_output_use(Options& options, const std::string& text);
std::string take_fit_target(Options& options, const std::string& text);
std::string take_format(Options& options, const std::string& text);

#define PSHARD_TO(field) [](Options& options) -> FlagTarget { return &options.field; }

// In the order of the help.
inline constexpr auto kFlags = std::to_array<Flag>({
    {.group = FlagGroup::Model,
     .names = "-m,--model",
     .value = "FILE",
     .target = PSHARD_TO(model),
     .help = "model file (.gguf), or its first split",
     .variable = "LLAMA_ARG_MODEL"},
    {.group = FlagGroup::Model,
     .names = "-md,--model-draft,--spec-draft-model",
     .value = "FILE",
     .target = PSHARD_TO(draft_model),
     .help = "draft model: weights, cache and scratch (ubatch 512, same context), all on the GPU, "
             "count against the budget",
     .variable = "LLAMA_ARG_SPEC_DRAFT_MODEL"},
    {.group = FlagGroup::Model,
     .names = "-mm,--mmproj",
     .value = "FILE",
     .target = PSHARD_TO(mmproj),
     .help = "multimodal projector (architecture clip): its tensors and an allowance of 512 MiB "
             "for its graph count against the budget",
     .variable = "LLAMA_ARG_MMPROJ",
     .in_run = InRun::Hidden},
    {.group = FlagGroup::Model,
     .names = "--mtp",
     .target = PSHARD_TO(mtp),
     .help = "load the MTP layers, as --spec-type draft-mtp does; cache and scratch of the context "
             "that drafts with them (ubatch 512) count against the budget",
     .in_run = InRun::Hidden},
    {.group = FlagGroup::Model,
     .names = "--inventory",
     .value = "FILE",
     .target = PSHARD_TO(inventory),
     .help = "plan this saved inventory instead of a model; flags that contradict its context are "
             "an error, and without -m or --registry no registry is written",
     .in_run = InRun::Refused},
    {.group = FlagGroup::Model,
     .names = "--save-inventory",
     .value = "FILE",
     .target = PSHARD_TO(save_inventory),
     .help = "write what the planner knows of the model to this file, also what it has read with "
             "--inventory",
     .in_run = InRun::Refused},
    {.group = FlagGroup::Context,
     .names = "-c,--ctx-size",
     .value = "N",
     .target = PSHARD_TO(context.n_ctx),
     .help = "tokens of context, over all sequences (default: 0, as the model was trained); a note "
             "says where a sequence may be longer than those of the training",
     .range = kTokensFrom0,
     .variable = "LLAMA_ARG_CTX_SIZE"},
    {.group = FlagGroup::Context,
     .names = "-t,--threads",
     .value = "N",
     .target = PSHARD_TO(n_threads),
     .help = "CPU threads, part of the fingerprint (default: those of the CPU profile, else the "
             "cores; 0 and -1: all hardware threads)",
     .range = kThreads,
     .variable = "LLAMA_ARG_THREADS"},
    {.group = FlagGroup::Context,
     .names = "-tb,--threads-batch",
     .value = "N",
     .target = PSHARD_TO(n_threads_batch),
     .help = "CPU threads for prompts, which --emit-args passes on (default: as -t)",
     .range = kThreads},
    {.group = FlagGroup::Context,
     .names = "-fa,--flash-attn",
     .value = "on|off|auto",
     .help = "flash attention (default: auto)",
     .words = "on|off|auto|enabled|disabled|true|false|1|0|-1",
     .variable = "LLAMA_ARG_FLASH_ATTN",
     .take = take_flash_attention},
    {.group = FlagGroup::Context,
     .names = "-ctk,--cache-type-k",
     .value = "TYPE",
     .help = "type of K in the cache: f32, f16, bf16, q8_0, q4_0, q4_1, iq4_nl, q5_0 or q5_1 "
             "(default: f16)",
     .variable = "LLAMA_ARG_CACHE_TYPE_K",
     .take = take_type_k},
    {.group = FlagGroup::Context,
     .names = "-ctv,--cache-type-v",
     .value = "TYPE",
     .help = "type of V in the cache, likewise (default: f16)",
     .variable = "LLAMA_ARG_CACHE_TYPE_V",
     .take = take_type_v},
    {.group = FlagGroup::Context,
     .names = "-np,--parallel",
     .value = "N",
     .target = PSHARD_TO(context.n_parallel),
     .help = "sequences at once (default: 1; -1: 4 with a unified cache, as llama-server)",
     .range = kSequences,
     .variable = "LLAMA_ARG_N_PARALLEL"},
    {.group = FlagGroup::Context,
     .names = "-kvu,--kv-unified,!-no-kvu,!--no-kv-unified",
     .target = PSHARD_TO(context.kv_unified),
     .help = "one cache that all sequences share (default: off)",
     .variable = "LLAMA_ARG_KV_UNIFIED"},
    {.group = FlagGroup::Context,
     .names = "--swa-full",
     .target = PSHARD_TO(context.swa_full),
     .help = "full-size cache for sliding windows (default: off)",
     .variable = "LLAMA_ARG_SWA_FULL"},
    {.group = FlagGroup::Context,
     .names = "-b,--batch-size",
     .value = "N",
     .target = PSHARD_TO(context.n_batch),
     .help = "logical batch; raises the largest tier if above 16384 (default: 2048)",
     .range = kTokens,
     .variable = "LLAMA_ARG_BATCH",
     .help_in_run = "logical batch (default: the ubatch)"},
    {.group = FlagGroup::Context,
     .names = "-ub,--ubatch-size",
     .value = "N",
     .target = PSHARD_TO(context.n_ubatch),
     .help = "accepted and without effect: the largest tier is the ubatch",
     .range = kTokens,
     .variable = "LLAMA_ARG_UBATCH",
     .help_in_run = "the largest tier, and so the program's ubatch"},
    {.group = FlagGroup::Context,
     .names = "--for",
     .value = "server|cli|perplexity|bench",
     .help = "whose rows of logits: one for each sequence, one, one for each token, one (default: "
             "server)",
     .words = "server|cli|perplexity|bench",
     .in_run = InRun::Hidden,
     .take = take_output_use},
    {.group = FlagGroup::Context,
     .names = "--n-outputs",
     .value = "N",
     .target = PSHARD_TO(context.n_outputs),
     .help = "rows of logits in a batch (default: as --for says)",
     .range = kTokens,
     .in_run = InRun::Hidden},
    {.group = FlagGroup::Context,
     .names = "--pshard-tier-max",
     .value = "N",
     .target = PSHARD_TO(context.tier_max),
     .help = "largest tier (default: the larger of -b and 16384; at most -c)",
     .range = kTokens},
    {.group = FlagGroup::Budget,
     .names = "-mva,--max-vram-alloc",
     .value = "MiB",
     .target = PSHARD_TO(max_vram_mib),
     .help = "budget (default: 0, device memory less the driver's overhead and --fit-target); more "
             "than the device is known to hold is planned all the same, and a note says whether "
             "the plan fits",
     .range = kMibFrom0},
    {.group = FlagGroup::Budget,
     .names = "-fitt,--fit-target",
     .value = "MiB",
     .help = "device memory to leave free without -mva; of a list the first counts (default: 1024)",
     .variable = "LLAMA_ARG_FIT_TARGET",
     .take = take_fit_target},
    {.group = FlagGroup::Budget,
     .names = "--reserve",
     .value = "MiB",
     .target = PSHARD_TO(reserve_mib),
     .help = "what the plan leaves of the budget to others (default: 0)",
     .range = kMibFrom0},
    {.group = FlagGroup::Budget,
     .names = "--device-memory",
     .value = "MiB",
     .target = PSHARD_TO(device_memory_mib),
     .help = "what the GPU holds (default: with -dev cuda and vulkan gpu.memory_mib of the GPU "
             "profile; of a device that is here, what is free)",
     .range = kMib},
    {.group = FlagGroup::Budget,
     .names = "--host-memory",
     .value = "MiB",
     .target = PSHARD_TO(host_memory_mib),
     .help =
         "host memory for the model: plans that need more are not viable (default: not checked)",
     .range = kMib},
    {.group = FlagGroup::Machine,
     .names = "-dev,--device",
     .value = "NAME",
     .target = PSHARD_TO(device),
     .help = "cuda or vulkan, which are models of a device, or a device that ggml has here, such "
             "as CUDA0 (default: cuda)",
     .help_in_run = "cuda or vulkan: how device memory is counted (default: as the GPU profile's)"},
    {.group = FlagGroup::Machine,
     .names = "--cpu-profile",
     .value = "FILE",
     .target = PSHARD_TO(cpu_profile),
     .help = "(default: cpu_profile.txt in this folder, if it is there)",
     .variable = "PSHARD_CPU_PROFILE",
     .help_in_run = "(default: of this machine, in this folder or in the cache)"},
    {.group = FlagGroup::Machine,
     .names = "--gpu-profile",
     .value = "FILE",
     .target = PSHARD_TO(gpu_profile),
     .help = "(default: gpu_profile.txt in this folder, if it is there)",
     .variable = "PSHARD_GPU_PROFILE",
     .help_in_run = "(default: of this machine, in this folder or in the cache)"},
    {.group = FlagGroup::Machine,
     .names = "--depth",
     .value = "N",
     .target = PSHARD_TO(depth),
     .help =
         "tokens in the cache that plans are ranked at (default: half of what a sequence holds)",
     .range = kTokensFrom0},
    {.group = FlagGroup::Bench,
     .names = "--bench-plan",
     .target = PSHARD_TO(bench.wanted),
     .help = "plan every context that llama-bench would make of -p, -n, -pg and -d: p+d, n+d, "
             "p+n+d; no tier above the largest prompt, at least 16",
     .in_run = InRun::Refused},
    {.group = FlagGroup::Bench,
     .names = "-p,--n-prompt",
     .value = "LIST",
     .target = PSHARD_TO(bench.prompts),
     .help = "with --bench-plan: prompts (512); with --emit-args: prompt tokens to weigh",
     .in_run = InRun::Hidden},
    {.group = FlagGroup::Bench,
     .names = "-n,--n-gen",
     .value = "LIST",
     .target = PSHARD_TO(bench.generations),
     .help = "with --bench-plan: generations (128); with --emit-args: answer tokens",
     .in_run = InRun::Hidden},
    {.group = FlagGroup::Bench,
     .names = "-d,--n-depth",
     .value = "LIST",
     .target = PSHARD_TO(bench.depths),
     .help = "with --bench-plan: depths (0)",
     .in_run = InRun::Hidden},
    {.group = FlagGroup::Bench,
     .names = "-pg",
     .value = "P,N",
     .target = PSHARD_TO(bench.prompt_generations),
     .help =
         "with --bench-plan: prompt and generation, on top of -p and -n, which -p 0 -n 0 turns off",
     .in_run = InRun::Hidden},
    {.group = FlagGroup::Output,
     .names = "--registry",
     .value = "FILE",
     .target = PSHARD_TO(registry),
     .help = "(default: the model's path with .tensor_overrides.pshard_registry)"},
    {.group = FlagGroup::Output,
     .names = "--no-registry",
     .target = PSHARD_TO(no_registry),
     .help = "write no registry",
     .in_run = InRun::Refused},
    {.group = FlagGroup::Output,
     .names = "-o,--output",
     .value = "md|json|jsonl|csv",
     .help = "how the plan is printed (default: md)",
     .words = "md|json|jsonl|csv",
     .in_run = InRun::Hidden,
     .take = take_format},
    {.group = FlagGroup::Output,
     .names = "--explain",
     .target = PSHARD_TO(explain),
     .help = "with md: why the winner won and each strategy lost, memory by part, what a plan "
             "switch costs, the lanes of a pass",
     .in_run = InRun::Refused},
    {.group = FlagGroup::Output,
     .names = "--emit-args",
     .target = PSHARD_TO(emit_args),
     .help = "print only the flags of the best static plan for stock llama-server, and write no "
             "registry; -p and -n weigh prompt and answer, -o json tells more",
     .in_run = InRun::Refused},
    {.group = FlagGroup::Refused,
     .names = "-ngl,--gpu-layers,--n-gpu-layers",
     .target = PSHARD_TO(refused.n_gpu_layers),
     .variable = "LLAMA_ARG_N_GPU_LAYERS",
     .in_run = InRun::Hidden},
    {.group = FlagGroup::Refused,
     .names = "-ts,--tensor-split",
     .target = PSHARD_TO(refused.tensor_split),
     .variable = "LLAMA_ARG_TENSOR_SPLIT",
     .in_run = InRun::Hidden},
    {.group = FlagGroup::Refused,
     .names = "-ot,--override-tensor",
     .target = PSHARD_TO(refused.override_tensor),
     .variable = "LLAMA_ARG_OVERRIDE_TENSOR",
     .in_run = InRun::Hidden},
    {.group = FlagGroup::Refused,
     .names = "-ncmoe,--n-cpu-moe",
     .target = PSHARD_TO(refused.n_cpu_moe),
     .variable = "LLAMA_ARG_N_CPU_MOE",
     .in_run = InRun::Hidden},
    {.group = FlagGroup::Refused,
     .names = "-ncffn,--n-cpu-ffn",
     .target = PSHARD_TO(refused.n_cpu_ffn),
     .variable = "LLAMA_ARG_N_CPU_FFN",
     .in_run = InRun::Hidden},
    {.group = FlagGroup::Refused,
     .names = "-sm,--split-mode",
     .target = PSHARD_TO(refused.split_mode),
     .words = "none|layer|row|tensor",
     .variable = "LLAMA_ARG_SPLIT_MODE",
     .in_run = InRun::Hidden},
    {.group = FlagGroup::Refused,
     .names = "-cmoe,--cpu-moe",
     .target = PSHARD_TO(refused.cpu_moe),
     .variable = "LLAMA_ARG_CPU_MOE",
     .in_run = InRun::Hidden},
    {.group = FlagGroup::Refused,
     .names = "-kvo,--kv-offload,!-nkvo,!--no-kv-offload",
     .target = PSHARD_TO(refused.kv_offload),
     .variable = "LLAMA_ARG_KV_OFFLOAD",
     .in_run = InRun::Hidden},
});

#undef PSHARD_TO

}  // namespace pshard::tool
