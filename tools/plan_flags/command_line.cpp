// The flags. Names, meanings and defaults are llama.cpp's where it has them (common/arg.cpp,
// v0.5.0); docs/cli/llama-pshard-plan-params.md tells all.
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include "common/manual.h"
#include "plan_flags/arguments.h"
#include "plan_flags/manual.h"
#include "plan_flags/options.h"
#include "plan_flags/variables.h"
#include "registry/settings.h"

namespace pshard::tool {
namespace {

constexpr std::uint64_t kMaxTokens = std::numeric_limits<std::int32_t>::max();
constexpr std::uint64_t kMaxMib = std::numeric_limits<std::uint32_t>::max();
constexpr int kMaxThreads = 4096;
constexpr int kMaxParallel = 256;  // llama.cpp's LLAMA_MAX_SEQ

// One clear sentence instead of CLI11's own.
CLI::Validator whole_number(std::int64_t least, std::uint64_t most) {
    return CLI::Validator(
        [=](std::string& text) {
            std::int64_t value = 0;
            const char* end = text.data() + text.size();
            const auto [last, error] = std::from_chars(text.data(), end, value);
            const bool good = error == std::errc{} && last == end && value >= least &&
                              (value < 0 || static_cast<std::uint64_t>(value) <= most);
            return good ? ""
                        : fmt::format("'{}' is no whole number from {} to {}", text, least, most);
        },
        "");
}

CLI::Validator one_of(std::vector<std::string> words) {
    return CLI::Validator(
        [words = std::move(words)](std::string& text) {
            const bool known = std::find(words.begin(), words.end(), text) != words.end();
            return known ? "" : fmt::format("'{}' is none of {}", text, fmt::join(words, ", "));
        },
        "");
}

CLI::Validator cache_type() {
    return CLI::Validator(
        [](std::string& text) {
            return kv_type_number(text) ? ""
                                        : fmt::format(
                                              "'{}' is no cache type: f32, f16, bf16, q8_0, "
                                              "q4_0, q4_1, iq4_nl, q5_0 or q5_1",
                                              text);
        },
        "");
}

// "1024", or llama.cpp's list for several devices, of which the first counts.
std::string first_of_list(const std::string& text) {
    return text.substr(0, text.find_first_of(",/"));
}

FlashAttention flash_attention_of(const std::string& text) {
    if (is_truthy(text)) return FlashAttention::On;
    return is_falsey(text) ? FlashAttention::Off : FlashAttention::Auto;
}

bool is_same_file(const std::string& a, const std::string& b) {
    if (a.empty() || b.empty()) return false;
    std::error_code code;
    return std::filesystem::weakly_canonical(a, code) == std::filesystem::weakly_canonical(b, code);
}

class CommandLine {
public:
    explicit CommandLine(const PlanningProgram* program)
        : page_(program != nullptr ? program->page : plan_page()) {
        app_.set_version_flag("--version", PSHARD_VERSION);
        app_.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
        in_group("Model", &CommandLine::add_model_options);
        in_group("Context", &CommandLine::add_context_options);
        in_group("Budget", &CommandLine::add_budget_options);
        in_group("Machine", &CommandLine::add_machine_options);
        if (program != nullptr) {
            app_.option_defaults()->group("Output");
            program->add_flags(app_);
        } else {
            in_group("What llama-bench would run", &CommandLine::add_bench_options);
            in_group("Output", &CommandLine::add_output_options);
        }
        add_refused_options();
    }

    [[nodiscard]] std::vector<ManualGroup> groups() const {
        return option_groups(app_, short_names());
    }

    std::variant<Options, EarlyExit> read(std::vector<std::string> arguments) {
        for (const std::string& argument : arguments) {
            if (std::string fault = spelling_fault(argument); !fault.empty()) {
                return EarlyExit{1, fault};
            }
        }
        std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
        try {
            app_.parse(std::move(arguments));
        } catch (const CLI::CallForVersion&) {
            return EarlyExit{0, fmt::format("{} {}\n", page_.name, PSHARD_VERSION)};
        } catch (const CLI::CallForHelp&) {
            page_.options = groups();
            return EarlyExit{0, manual_text(page_)};
        } catch (const CLI::ExtrasError&) {
            return EarlyExit{1,
                             fmt::format("unknown argument '{}'; --help lists the flags",
                                         fmt::join(app_.remaining(), " "))};
        } catch (const CLI::ArgumentMismatch& error) {
            return EarlyExit{1, fmt::format("a value is missing, {}", error.what())};
        } catch (const CLI::ParseError& error) {
            return EarlyExit{1, error.what()};
        }
        if (std::string fault = settle(); !fault.empty()) return EarlyExit{1, fault};
        return std::move(options_);
    }

private:
    void in_group(const std::string& title, void (CommandLine::*add)()) {
        app_.option_defaults()->group(title);
        (this->*add)();
    }

    [[nodiscard]] bool has_option(const std::string& name) const {
        return app_.get_option_no_throw(name) != nullptr;
    }

    // One dash is for llama.cpp's short names only, which stand alone: CLI11 would read "-ctx-size"
    // as "-c tx-size". "" if there is nothing wrong.
    [[nodiscard]] std::string spelling_fault(const std::string& argument) const {
        const bool has_rest = argument.size() > 2 && argument[0] == '-';
        if (!has_rest || std::isalpha(static_cast<unsigned char>(argument[1])) == 0) return "";
        const std::size_t equals = std::min(argument.find('='), argument.size());
        const std::string as_long = normal_name("-" + argument.substr(0, equals));
        const std::string letter = argument.substr(0, 2);
        std::string hint = "--help lists the flags";
        if (as_long.size() > 3 && has_option(as_long)) {
            hint = fmt::format("write {}", as_long);
        } else if (has_option(letter)) {
            const std::size_t value = equals == 2 ? 3 : 2;
            hint = fmt::format(
                "'{}' and its value are two words: {} {}", letter, letter, argument.substr(value));
        }
        return fmt::format("unknown argument '{}'; {}", argument, hint);
    }

    void add_model_options() {
        app_.add_option("-m,--model", options_.model, "model file (.gguf), or its first split")
            ->type_name("FILE");
        app_.add_option("--md,--model-draft,--spec-draft-model",
                        options_.draft_model,
                        "draft model: all of it on the GPU, within the same budget")
            ->type_name("FILE");
        app_.add_option("--mm,--mmproj",
                        options_.mmproj,
                        "multimodal projector: its tensors count against the budget")
            ->type_name("FILE");
        app_.add_flag("--mtp", options_.mtp, "load the MTP layers too");
        app_.add_option(
                "--inventory", options_.inventory, "plan this saved inventory instead of a model")
            ->type_name("FILE");
        app_.add_option("--save-inventory",
                        options_.save_inventory,
                        "write what the planner knows of the model to this file")
            ->type_name("FILE");
    }

    void add_context_options() {
        ContextOptions& context = options_.context;
        number("-c,--ctx-size",
               context.n_ctx,
               0,
               kMaxTokens,
               "tokens of context, over all sequences (default: 0, as the model was trained)");
        number("-t,--threads",
               options_.n_threads,
               -1,
               kMaxThreads,
               "CPU threads (default: those of the CPU profile)");
        number("--tb,--threads-batch",
               options_.n_threads_batch,
               -1,
               kMaxThreads,
               "CPU threads for prompts (default: as -t)");
        app_.add_option("--fa,--flash-attn", flash_attention_, "on, off or auto (default: auto)")
            ->check(one_of(
                {"on", "off", "auto", "enabled", "disabled", "true", "false", "1", "0", "-1"}))
            ->type_name("on|off|auto");
        app_.add_option("--ctk,--cache-type-k", context.type_k, "type of K in the cache (f16)")
            ->check(cache_type())
            ->type_name("TYPE");
        app_.add_option("--ctv,--cache-type-v", context.type_v, "type of V in the cache (f16)")
            ->check(cache_type())
            ->type_name("TYPE");
        number("--np,--parallel",
               context.n_parallel,
               -1,
               kMaxParallel,
               "sequences at once (default: 1; -1: 4 with a unified cache, as llama-server)");
        on_off("--kvu,--kv-unified,!--no-kvu,!--no-kv-unified",
               context.kv_unified,
               "one cache that all sequences share");
        app_.add_flag("--swa-full", swa_full_, "full-size cache for sliding windows");
        number("-b,--batch-size", context.n_batch, 1, kMaxTokens, "logical batch (2048)");
        number("--ub,--ubatch-size",
               context.n_ubatch,
               1,
               kMaxTokens,
               "accepted; the plan decides: the largest tier is the ubatch");
        app_.add_option("--for",
                        output_use_,
                        "whose logits: server, cli, perplexity or bench (default: server)")
            ->check(one_of({"server", "cli", "perplexity", "bench"}))
            ->type_name("PROGRAM");
        number("--n-outputs",
               context.n_outputs,
               1,
               kMaxTokens,
               "rows of logits in a batch (default: as --for says)");
        number("--pshard-tier-max",
               context.tier_max,
               1,
               kMaxTokens,
               "largest tier (default: the larger of -b and 16384; at most -c)");
    }

    void add_budget_options() {
        number("--mva,--max-vram-alloc",
               options_.max_vram_mib,
               0,
               kMaxMib,
               "budget in MiB (default: 0, device memory less --fit-target)");
        app_.add_option("--fitt,--fit-target",
                        fit_target_,
                        "MiB of device memory to leave free without -mva (1024)")
            ->check(CLI::Validator(
                [](std::string& text) {
                    std::string first = first_of_list(text);
                    return whole_number(0, kMaxMib)(first);
                },
                ""));
        number("--reserve",
               options_.reserve_mib,
               0,
               kMaxMib,
               "MiB of the budget that the plan leaves to others (0)");
        number("--device-memory",
               options_.device_memory_mib,
               1,
               kMaxMib,
               "MiB that the GPU holds (default: the GPU profile's gpu.memory_mib)");
        number("--host-memory",
               options_.host_memory_mib,
               1,
               kMaxMib,
               "MiB of host memory for the model (default: not checked)");
    }

    void add_machine_options() {
        app_.add_option("--dev,--device",
                        options_.device,
                        "cuda, vulkan, or a device of ggml's such as CUDA0 (default: cuda)");
        app_.add_option("--cpu-profile",
                        options_.cpu_profile,
                        "(default: cpu_profile.txt in this folder, if it is there)")
            ->type_name("FILE");
        app_.add_option("--gpu-profile",
                        options_.gpu_profile,
                        "(default: gpu_profile.txt in this folder, if it is there)")
            ->type_name("FILE");
        number("--depth",
               options_.depth,
               0,
               kMaxTokens,
               "tokens in the cache that plans are ranked at (default: half of -c)");
    }

    void add_bench_options() {
        BenchOptions& bench = options_.bench;
        app_.add_flag(
            "--bench-plan", bench.wanted, "plan every context that llama-bench would use");
        app_.add_option(
            "-p,--n-prompt",
            bench.prompts,
            "with --bench-plan: prompts (512); with --emit-args: prompt tokens to weigh");
        app_.add_option("-n,--n-gen",
                        bench.generations,
                        "with --bench-plan: generations (128); with --emit-args: answer tokens");
        app_.add_option("-d,--n-depth", bench.depths, "with --bench-plan: depths (0)");
        app_.add_option("--pg", bench.prompt_generations, "with --bench-plan: prompt,generation")
            ->allow_extra_args(false)
            ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    }

    void add_output_options() {
        app_.add_option("--registry",
                        options_.registry,
                        "(default: the model's path with .tensor_overrides.pshard_registry)")
            ->type_name("FILE");
        app_.add_flag("--no-registry", options_.no_registry, "write no registry");
        app_.add_option("-o,--output", format_, "md, json, jsonl or csv (default: md)")
            ->check(one_of({"md", "json", "jsonl", "csv"}))
            ->type_name("FORMAT");
        app_.add_flag("--explain", options_.explain, "say why: rivals, memory, switches, lanes");
        app_.add_flag("--emit-args",
                      options_.emit_args,
                      "print only the flags that run the best static plan in stock llama.cpp");
    }

    // Accepted so that the refusal can name its reason.
    void add_refused_options() {
        const std::string group = "Refused: pshard places the tensors itself";
        for (const auto& [names, key] : std::initializer_list<std::pair<const char*, const char*>>{
                 {"--ngl,--gpu-layers,--n-gpu-layers", "n-gpu-layers"},
                 {"--ts,--tensor-split", "tensor-split"},
                 {"--ot,--override-tensor", "override-tensor"},
                 {"--ncmoe,--n-cpu-moe", "n-cpu-moe"},
                 {"--ncffn,--n-cpu-ffn", "n-cpu-ffn"}}) {
            app_.add_option(names, refused_[key])->group(group);
        }
        app_.add_option("--sm,--split-mode", refused_["split-mode"])
            ->check(one_of({"none", "layer", "row", "tensor"}))
            ->group(group);
        app_.add_flag("--cmoe,--cpu-moe", cpu_moe_)->group(group);
        on_off("--kvo,--kv-offload,!--nkvo,!--no-kv-offload", kv_offload_, "")->group(group);
    }

    template <typename Number>
    void number(const std::string& names,
                Number& value,
                std::int64_t least,
                std::uint64_t most,
                const std::string& description) {
        app_.add_option(names, value, description)
            ->check(whole_number(least, most))
            ->type_name(most == kMaxMib ? "MiB" : "N");
    }

    // The last of the positive and the negative names decides.
    CLI::Option* on_off(const std::string& names,
                        std::optional<bool>& value,
                        const std::string& description) {
        return app_
            .add_flag_function(
                names, [&value](std::int64_t count) { value = count > 0; }, description)
            ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }

    // Words to values, and what no single flag can check. Returns the fault, "" if there is none.
    std::string settle() {
        ContextOptions& context = options_.context;
        if (!flash_attention_.empty()) {
            context.flash_attention = flash_attention_of(flash_attention_);
        }
        if (swa_full_) context.swa_full = true;
        static const std::map<std::string, OutputUse> kUses = {
            {"server", OutputUse::Server},
            {"cli", OutputUse::Cli},
            {"perplexity", OutputUse::Perplexity},
            {"bench", OutputUse::Bench}};
        if (!output_use_.empty()) context.output_use = kUses.at(output_use_);
        static const std::map<std::string, OutputFormat> kFormats = {
            {"md", OutputFormat::Markdown},
            {"json", OutputFormat::Json},
            {"jsonl", OutputFormat::JsonLines},
            {"csv", OutputFormat::Csv}};
        options_.format = kFormats.at(format_);
        if (!fit_target_.empty()) options_.fit_target_mib = std::stoull(first_of_list(fit_target_));
        add_refusals();
        return fault();
    }

    std::string fault() const {
        const BenchOptions& bench = options_.bench;
        const bool bench_flags = !bench.prompts.empty() || !bench.generations.empty() ||
                                 !bench.depths.empty() || !bench.prompt_generations.empty();
        if (options_.context.n_parallel == 0) return "-np 0: there must be at least one sequence";
        if (options_.model.empty() && options_.inventory.empty()) {
            return "no model: name one with -m (or LLAMA_ARG_MODEL); --help lists the flags";
        }
        const bool lists = !bench.depths.empty() || !bench.prompt_generations.empty();
        if (lists && !bench.wanted) return "-pg and -d go with --bench-plan only";
        if (bench_flags && !bench.wanted && !options_.emit_args) {
            return "-p and -n go with --bench-plan or --emit-args only";
        }
        if (options_.emit_args && options_.format != OutputFormat::Json &&
            options_.format != OutputFormat::Markdown) {
            return "--emit-args prints the flags, or with -o json what they come to";
        }
        if (bench.wanted && options_.context.n_ctx) {
            return "--bench-plan plans the contexts that -p, -n, -pg and -d make: leave -c (or "
                   "LLAMA_ARG_CTX_SIZE) out";
        }
        if (bench.wanted && (!options_.inventory.empty() || !options_.save_inventory.empty())) {
            return "--bench-plan makes several inventories: it goes with neither --inventory nor "
                   "--save-inventory";
        }
        if (is_same_file(options_.save_inventory, options_.registry)) {
            return "--registry and --save-inventory name the same file: give them two";
        }
        if (options_.emit_args && (bench.wanted || !options_.inventory.empty())) {
            return "--emit-args captures the model anew for each ubatch: it goes with neither "
                   "--bench-plan nor --inventory";
        }
        return "";
    }

    void refuse(const std::string& flag, const std::string& reason) {
        options_.refusals.push_back(fmt::format("{}: {}", flag, reason));
    }

    void add_refusals() {
        const std::string& split = refused_["split-mode"];
        if (!split.empty() && split != "none" && split != "layer") {
            refuse("-sm " + split,
                   "pshard plans for one GPU; split modes row and tensor are not "
                   "supported");
        }
        const std::string& layers = refused_["n-gpu-layers"];
        if (!layers.empty() && layers != "auto") {
            refuse("-ngl " + layers, "n_gpu_layers is the plan's to choose");
        }
        if (!refused_["tensor-split"].empty()) {
            refuse("-ts", "tensor_split is not supported, pshard plans for one GPU");
        }
        const bool overrides = !refused_["override-tensor"].empty() || cpu_moe_ ||
                               !refused_["n-cpu-moe"].empty() || !refused_["n-cpu-ffn"].empty();
        if (overrides) {
            refuse("-ot, -cmoe, -ncmoe, -ncffn",
                   "tensor_buft_overrides would place tensors against the plan");
        }
        if (kv_offload_ && !*kv_offload_) {
            refuse("-nkvo", "KV offload is disabled, and the plan holds the KV cache on the GPU");
        }
    }

    CLI::App app_;
    Manual page_;
    Options options_;
    std::string flash_attention_;
    std::string output_use_;
    std::string fit_target_;
    std::string format_ = "md";
    std::optional<bool> kv_offload_;
    bool swa_full_ = false;
    bool cpu_moe_ = false;
    std::map<std::string, std::string> refused_;
};

}  // namespace

std::vector<ManualGroup> plan_flag_groups() { return CommandLine(nullptr).groups(); }

std::variant<Options, EarlyExit> read_command_line(int argc,
                                                   const char* const* argv,
                                                   const PlanningProgram* program) {
    Result<std::vector<std::string>> arguments =
        arguments_of_environment([](const char* name) { return std::getenv(name); });
    if (!arguments) return EarlyExit{1, arguments.error().text()};
    for (int i = 1; i < argc; ++i) arguments.value().push_back(normal_name(argv[i]));
    std::variant<Options, EarlyExit> read = CommandLine(program).read(std::move(arguments).value());
    if (Options* options = std::get_if<Options>(&read)) {
        if (const auto fault = read_variables(*options)) return *fault;
    }
    return read;
}

}  // namespace pshard::tool
