// The planner's flags: what they set, and one row for each.
//
// A new flag is a field of Options and a row of kFlags, both here; the code that obeys it reads the
// field. The command line, the environment, the help, the man page, the completion, the page in
// docs/cli and the launcher are made from the rows.
//
// Names, meanings and defaults are llama.cpp's where it has the flag (common/arg.cpp, v0.5.0).
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <map>
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

// A field is absent if the user gave nothing: the defaults are llama.cpp's, or a saved inventory's.
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

// How the run drafts; plan_flags/drafting.h says what that comes to.
struct DraftingOptions {
    std::string types;                   // of --spec-type: names, parted by commas
    std::optional<std::uint32_t> n_max;  // tokens drafted at most; nullopt: llama.cpp's default
    std::string type_k = "f16";          // of the caches of the context that drafts
    std::string type_v = "f16";

    bool operator==(const DraftingOptions&) const = default;
};

// Flags of llama.cpp's that would place tensors against the plan. They are read, so that the
// refusal can name its reason.
struct RefusedOptions {
    std::string split_mode;
    std::string n_gpu_layers;
    std::string tensor_split;
    std::string override_tensor;
    std::string n_cpu_moe;
    std::string n_cpu_ffn;
    bool cpu_moe = false;
    std::optional<bool> kv_offload;
};

struct Options {
    std::string model;
    std::string draft_model;
    std::string mmproj;
    bool mtp = false;
    DraftingOptions drafting;
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
    bool quiet = false;

    bool check = false;  // PSHARD_CHECK=1: rivals are verified too, not only the plan

    RefusedOptions refused;
    std::vector<std::string> refusals;  // flags that leave nothing to plan, one sentence each
    // The flags that were given: as they were typed last, or the variable, by the row's first name.
    std::map<std::string, std::string> given;

    // The flag as it was given; as it is, where it was not.
    [[nodiscard]] std::string typed(const std::string& flag) const {
        const auto found = given.find(flag);
        return found == given.end() ? flag : found->second;
    }

    // Those of the flags that were given, as they were: "-ot, --n-cpu-moe".
    [[nodiscard]] std::string typed_of(std::initializer_list<const char*> flags) const {
        std::string all;
        for (const char* flag : flags) {
            if (!given.contains(flag)) continue;
            if (!all.empty()) all += ", ";
            all += typed(flag);
        }
        return all;
    }
};

// Where a value goes. Its type says how it is read: a text, a number, a flag without a value.
using FlagTarget = std::variant<std::string*,
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

inline constexpr FlagRange kNoRange = {};
inline constexpr FlagRange kTokensFrom0 = {0, std::numeric_limits<std::int32_t>::max()};
inline constexpr FlagRange kDrafted = {0, 1024};
inline constexpr FlagRange kBatch = {1, 1U << 20U};  // tokens of a batch; 16384 are plenty
inline constexpr FlagRange kMibFrom0 = {0, std::numeric_limits<std::uint32_t>::max()};
inline constexpr FlagRange kMib = {1, std::numeric_limits<std::uint32_t>::max()};
inline constexpr FlagRange kThreads = {-1, 4096};
inline constexpr FlagRange kSequences = {-1, 256};  // llama.cpp's LLAMA_MAX_SEQ

// What llama-pshard-run makes of a flag: takes it, does not tell of it, or refuses it.
enum class InRun { Taken, Hidden, Refused };

enum class FlagGroup { Model, Context, Budget, Machine, Bench, Output, Refused };

// Takes a value that is no plain text or number; returns what is wrong with it, "" if it is right.
using TakeFlag = std::string (*)(Options&, const std::string& text);

struct Flag {
    FlagGroup group = FlagGroup::Model;
    const char* names = "";                    // as they are written, negative ones behind a "!"
    const char* value = "";                    // what stands for the value in the help
    FlagTarget (*target)(Options&) = nullptr;  // or `take`
    TakeFlag take = nullptr;
    FlagRange range{};               // of numbers
    const char* words = "";          // the only values allowed, separated by "|"; "": any
    const char* variable = nullptr;  // of the environment
    InRun in_run = InRun::Taken;
    const char* help = "";
    const char* help_in_run = nullptr;  // where it differs
};

std::string take_flash_attention(Options& options, const std::string& text);
std::string take_type_k(Options& options, const std::string& text);
std::string take_type_v(Options& options, const std::string& text);
std::string take_draft_type_k(Options& options, const std::string& text);
std::string take_draft_type_v(Options& options, const std::string& text);
std::string take_spec_types(Options& options, const std::string& text);
std::string take_output_use(Options& options, const std::string& text);
std::string take_prompts(Options& options, const std::string& text);
std::string take_generations(Options& options, const std::string& text);
std::string take_depths(Options& options, const std::string& text);
std::string take_fit_target(Options& options, const std::string& text);
std::string take_format(Options& options, const std::string& text);

#define PSHARD_TO(field) [](Options& options) -> FlagTarget { return &options.field; }

// The rows stand in the order of the help.
// clang-format off
inline constexpr auto kFlags = std::to_array<Flag>({
    {FlagGroup::Model, "-m,--model", "FILE", PSHARD_TO(model), nullptr,
     kNoRange, "", "LLAMA_ARG_MODEL", InRun::Taken,
     "model file (.gguf), or its first split"},
    {FlagGroup::Model, "-md,--model-draft,--spec-draft-model", "FILE",
     PSHARD_TO(draft_model), nullptr,
     kNoRange, "", "LLAMA_ARG_SPEC_DRAFT_MODEL", InRun::Taken,
     "draft model: weights, cache and scratch (context and ubatch of the run), all on the GPU, "
     "count against the budget"},
    {FlagGroup::Model, "-mm,--mmproj", "FILE", PSHARD_TO(mmproj), nullptr,
     kNoRange, "", "LLAMA_ARG_MMPROJ", InRun::Taken,
     "multimodal projector (architecture clip): its tensors and an allowance of 512 MiB for "
     "its graph count against the budget"},
    {FlagGroup::Model, "--mtp", "", PSHARD_TO(mtp), nullptr, kNoRange, "", nullptr, InRun::Taken,
     "draft with the MTP layers, as --spec-type draft-mtp does; cache and scratch of the context "
     "that drafts with them (context and ubatch of the run) count against the budget"},
    {FlagGroup::Model, "--spec-type", "TYPES", nullptr, take_spec_types,
     kNoRange, "", "LLAMA_ARG_SPEC_TYPE", InRun::Taken,
     "what drafts, by llama.cpp's names, parted by commas (default: with -md as its file says, else "
     "none)"},
    {FlagGroup::Model, "--spec-draft-n-max", "N", PSHARD_TO(drafting.n_max), nullptr,
     kDrafted, "", "LLAMA_ARG_SPEC_DRAFT_N_MAX", InRun::Taken,
     "tokens that are drafted at most: as many rows of logits and one more for each sequence, "
     "and with MTP layers as many recurrent states (default: 3)"},
    {FlagGroup::Model, "-ctkd,--cache-type-k-draft,--spec-draft-type-k", "TYPE",
     nullptr, take_draft_type_k,
     kNoRange, "", "LLAMA_ARG_SPEC_DRAFT_CACHE_TYPE_K", InRun::Taken,
     "type of K in the cache of what drafts (default: f16, whatever -ctk says)"},
    {FlagGroup::Model, "-ctvd,--cache-type-v-draft,--spec-draft-type-v", "TYPE",
     nullptr, take_draft_type_v,
     kNoRange, "", "LLAMA_ARG_SPEC_DRAFT_CACHE_TYPE_V", InRun::Taken,
     "type of V in that cache, likewise"},
    {FlagGroup::Model, "--inventory", "FILE", PSHARD_TO(inventory), nullptr,
     kNoRange, "", nullptr, InRun::Refused,
     "plan this saved inventory instead of a model; flags that contradict its context are an "
     "error, and without -m or --registry no registry is written"},
    {FlagGroup::Model, "--save-inventory", "FILE", PSHARD_TO(save_inventory), nullptr,
     kNoRange, "", nullptr, InRun::Refused,
     "write what the planner knows of the model to this file, also what it has read with "
     "--inventory"},
    {FlagGroup::Context, "-c,--ctx-size", "N", PSHARD_TO(context.n_ctx), nullptr,
     kTokensFrom0, "", "LLAMA_ARG_CTX_SIZE", InRun::Taken,
     "tokens of context, over all sequences (default: 0, as the model was trained); a note "
     "says where a sequence may be longer than those of the training"},
    {FlagGroup::Context, "-t,--threads", "N", PSHARD_TO(n_threads), nullptr,
     kThreads, "", "LLAMA_ARG_THREADS", InRun::Taken,
     "CPU threads, part of the fingerprint (default: those of the CPU profile, else the cores;"
     " 0 and -1: all hardware threads)"},
    {FlagGroup::Context, "-tb,--threads-batch", "N", PSHARD_TO(n_threads_batch), nullptr,
     kThreads, "", nullptr, InRun::Taken,
     "CPU threads for prompts, which --emit-args passes on (default: as -t)"},
    {FlagGroup::Context, "-fa,--flash-attn", "on|off|auto", nullptr, take_flash_attention,
     kNoRange, "on|off|auto|enabled|disabled|true|false|1|0|-1", "LLAMA_ARG_FLASH_ATTN",
     InRun::Taken,
     "flash attention (default: auto)"},
    {FlagGroup::Context, "-ctk,--cache-type-k", "TYPE", nullptr, take_type_k,
     kNoRange, "", "LLAMA_ARG_CACHE_TYPE_K", InRun::Taken,
     "type of K in the cache: f32, f16, bf16, q8_0, q4_0, q4_1, iq4_nl, q5_0 or q5_1 (default:"
     " f16)"},
    {FlagGroup::Context, "-ctv,--cache-type-v", "TYPE", nullptr, take_type_v,
     kNoRange, "", "LLAMA_ARG_CACHE_TYPE_V", InRun::Taken,
     "type of V in the cache, likewise (default: f16)"},
    {FlagGroup::Context, "-np,--parallel", "N", PSHARD_TO(context.n_parallel), nullptr,
     kSequences, "", "LLAMA_ARG_N_PARALLEL", InRun::Taken,
     "sequences at once (default: 1; -1: 4 with a unified cache, as llama-server)"},
    {FlagGroup::Context, "-kvu,--kv-unified,!-no-kvu,!--no-kv-unified", "",
     PSHARD_TO(context.kv_unified), nullptr,
     kNoRange, "", "LLAMA_ARG_KV_UNIFIED", InRun::Taken,
     "one cache that all sequences share (default: off)"},
    {FlagGroup::Context, "--swa-full", "", PSHARD_TO(context.swa_full), nullptr,
     kNoRange, "", "LLAMA_ARG_SWA_FULL", InRun::Taken,
     "full-size cache for sliding windows (default: off)"},
    {FlagGroup::Context, "-b,--batch-size", "N", PSHARD_TO(context.n_batch), nullptr,
     kBatch, "", "LLAMA_ARG_BATCH", InRun::Taken,
     "logical batch: no tier is larger (default: the largest tier; with --emit-args 2048)"},
    {FlagGroup::Context, "-ub,--ubatch-size", "N", PSHARD_TO(context.n_ubatch), nullptr,
     kBatch, "", "LLAMA_ARG_UBATCH", InRun::Taken,
     "ubatch of the run: the largest tier, even if smaller batches one after the other are faster, "
     "of which a note tells"},
    {FlagGroup::Context, "--for", "server|cli|perplexity|bench", nullptr, take_output_use,
     kNoRange, "server|cli|perplexity|bench", nullptr, InRun::Hidden,
     "whose rows of logits: one for each sequence, one, one for each token, one (default: "
     "server)"},
    {FlagGroup::Context, "--n-outputs", "N", PSHARD_TO(context.n_outputs), nullptr,
     kBatch, "", nullptr, InRun::Hidden,
     "rows of logits in a batch (default: as --for says)"},
    {FlagGroup::Context, "--pshard-tier-max", "N", PSHARD_TO(context.tier_max), nullptr,
     kBatch, "", nullptr, InRun::Taken,
     "largest tier, where no -ub is given (default: 16384; at most -b and -c)"},
    {FlagGroup::Budget, "-mva,--max-vram-alloc", "MiB", PSHARD_TO(max_vram_mib), nullptr,
     kMibFrom0, "", nullptr, InRun::Taken,
     "budget (default: 0, device memory less the driver's overhead and --fit-target); more "
     "than the driver leaves of a device whose memory is known is lowered to that, with a note"},
    {FlagGroup::Budget, "-fitt,--fit-target", "MiB", nullptr, take_fit_target,
     kNoRange, "", "LLAMA_ARG_FIT_TARGET", InRun::Taken,
     "device memory to leave free without -mva; of a list the first counts (default: 1024)"},
    {FlagGroup::Budget, "--reserve", "MiB", PSHARD_TO(reserve_mib), nullptr,
     kMibFrom0, "", nullptr, InRun::Taken,
     "what the plan leaves of the budget to others (default: 0)"},
    {FlagGroup::Budget, "--device-memory", "MiB", PSHARD_TO(device_memory_mib), nullptr,
     kMib, "", nullptr, InRun::Taken,
     "what the GPU holds (default: with -dev cuda and vulkan gpu.memory_mib of the GPU "
     "profile; of a device that is here, what is free)"},
    {FlagGroup::Budget, "--host-memory", "MiB", PSHARD_TO(host_memory_mib), nullptr,
     kMib, "", nullptr, InRun::Taken,
     "host memory for the model: plans that need more are not viable (default: what is available "
     "here; with a profile of another machine, what that has)"},
    {FlagGroup::Machine, "-dev,--device", "NAME", PSHARD_TO(device), nullptr,
     kNoRange, "", nullptr, InRun::Taken,
     "cuda or vulkan, which are models of a device, or a device that ggml has here, such as "
     "CUDA0 (default: cuda)",
     "cuda or vulkan: how device memory is counted (default: as the GPU profile's)"},
    {FlagGroup::Machine, "--cpu-profile", "FILE", PSHARD_TO(cpu_profile), nullptr,
     kNoRange, "", "PSHARD_CPU_PROFILE", InRun::Taken,
     "(default: cpu_profile.txt in this folder, else in the cache where llama-pshard-run keeps it, "
     "if it is of this machine)",
     "(default: of this machine, in this folder or in the cache)"},
    {FlagGroup::Machine, "--gpu-profile", "FILE", PSHARD_TO(gpu_profile), nullptr,
     kNoRange, "", "PSHARD_GPU_PROFILE", InRun::Taken,
     "(default: gpu_profile.txt in this folder, else in the cache where llama-pshard-run keeps it, "
     "if it is of this machine)",
     "(default: of this machine, in this folder or in the cache)"},
    {FlagGroup::Machine, "--depth", "N", PSHARD_TO(depth), nullptr,
     kTokensFrom0, "", nullptr, InRun::Taken,
     "tokens in the cache that plans are ranked at (default: half of what a sequence holds)"},
    {FlagGroup::Bench, "--bench-plan", "", PSHARD_TO(bench.wanted), nullptr,
     kNoRange, "", nullptr, InRun::Refused,
     "plan every context that llama-bench would make of -p, -n, -pg and -d: p+d, n+d, p+n+d; "
     "no tier above the largest prompt, at least 16"},
    {FlagGroup::Bench, "-p,--n-prompt", "LIST", nullptr, take_prompts,
     kNoRange, "", nullptr, InRun::Hidden,
     "with --bench-plan: prompts (512); else the prompt tokens that --emit-args weighs, and that "
     "-ub is chosen for where memory grows with it, by sliding windows or drafting (default: half "
     "of a sequence, 512 to 4096)"},
    {FlagGroup::Bench, "-n,--n-gen", "LIST", nullptr, take_generations,
     kNoRange, "", nullptr, InRun::Hidden,
     "with --bench-plan: generations (128); else answer tokens, likewise (128)"},
    {FlagGroup::Bench, "-d,--n-depth", "LIST", nullptr, take_depths,
     kNoRange, "", nullptr, InRun::Hidden,
     "with --bench-plan: depths (0)"},
    {FlagGroup::Bench, "-pg", "P,N", PSHARD_TO(bench.prompt_generations), nullptr,
     kNoRange, "", nullptr, InRun::Hidden,
     "with --bench-plan: prompt and generation, on top of -p and -n, which -p 0 -n 0 turns off"},
    {FlagGroup::Output, "--registry", "FILE", PSHARD_TO(registry), nullptr,
     kNoRange, "", nullptr, InRun::Taken,
     "(default: the model's path with .tensor_overrides.pshard_registry)"},
    {FlagGroup::Output, "--no-registry", "", PSHARD_TO(no_registry), nullptr,
     kNoRange, "", nullptr, InRun::Refused,
     "write no registry"},
    {FlagGroup::Output, "-o,--output", "md|json|jsonl|csv", nullptr, take_format,
     kNoRange, "md|json|jsonl|csv", nullptr, InRun::Hidden,
     "how the plan is printed (default: md)"},
    {FlagGroup::Output, "--explain", "", PSHARD_TO(explain), nullptr,
     kNoRange, "", nullptr, InRun::Refused,
     "with md: why the winner won and each strategy lost, memory by part, what a plan switch "
     "costs, the lanes of a pass"},
    {FlagGroup::Output, "--emit-args", "", PSHARD_TO(emit_args), nullptr,
     kNoRange, "", nullptr, InRun::Refused,
     "print only the flags of the best static plan for stock llama-server, and write no "
     "registry; -p and -n weigh prompt and answer, -o json tells more"},
    {FlagGroup::Output, "--quiet", "", PSHARD_TO(quiet), nullptr,
     kNoRange, "", nullptr, InRun::Taken,
     "show no progress on stderr; notes, refusals and errors stay"},
    {FlagGroup::Refused, "-ngl,--gpu-layers,--n-gpu-layers", "",
     PSHARD_TO(refused.n_gpu_layers), nullptr,
     kNoRange, "", "LLAMA_ARG_N_GPU_LAYERS", InRun::Hidden,
     ""},
    {FlagGroup::Refused, "-ts,--tensor-split", "", PSHARD_TO(refused.tensor_split), nullptr,
     kNoRange, "", "LLAMA_ARG_TENSOR_SPLIT", InRun::Hidden,
     ""},
    {FlagGroup::Refused, "-ot,--override-tensor", "", PSHARD_TO(refused.override_tensor), nullptr,
     kNoRange, "", "LLAMA_ARG_OVERRIDE_TENSOR", InRun::Hidden,
     ""},
    {FlagGroup::Refused, "-ncmoe,--n-cpu-moe", "", PSHARD_TO(refused.n_cpu_moe), nullptr,
     kNoRange, "", "LLAMA_ARG_N_CPU_MOE", InRun::Hidden,
     ""},
    {FlagGroup::Refused, "-ncffn,--n-cpu-ffn", "", PSHARD_TO(refused.n_cpu_ffn), nullptr,
     kNoRange, "", "LLAMA_ARG_N_CPU_FFN", InRun::Hidden,
     ""},
    {FlagGroup::Refused, "-sm,--split-mode", "", PSHARD_TO(refused.split_mode), nullptr,
     kNoRange, "none|layer|row|tensor", "LLAMA_ARG_SPLIT_MODE", InRun::Hidden,
     ""},
    {FlagGroup::Refused, "-cmoe,--cpu-moe", "", PSHARD_TO(refused.cpu_moe), nullptr,
     kNoRange, "", "LLAMA_ARG_CPU_MOE", InRun::Hidden,
     ""},
    {FlagGroup::Refused, "-kvo,--kv-offload,!-nkvo,!--no-kv-offload", "",
     PSHARD_TO(refused.kv_offload), nullptr,
     kNoRange, "", "LLAMA_ARG_KV_OFFLOAD", InRun::Hidden,
     ""},
});
// clang-format on

#undef PSHARD_TO

}  // namespace pshard::tool
