// The command line, made from the rows of kFlags (plan_flags/flags.h).
#include <array>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include "base/fields.h"
#include "base/text.h"
#include "common/command_line.h"
#include "common/log.h"
#include "common/manual.h"
#include "inventory/context_words.h"
#include "plan_flags/arguments.h"
#include "plan_flags/bench_contexts.h"
#include "plan_flags/drafting.h"
#include "plan_flags/manual.h"
#include "plan_flags/options.h"
#include "plan_flags/variables.h"
#include "registry/settings.h"

namespace pshard::tool {
namespace {

bool is_same_file(const std::string& a, const std::string& b) {
    if (a.empty() || b.empty()) return false;
    std::error_code code;
    const auto first = std::filesystem::weakly_canonical(a, code);
    const auto second = std::filesystem::weakly_canonical(b, code);
    return first == second && !first.empty();
}

std::string first_name(const Flag& flag) { return split(flag.names, ',').front(); }

// "-mva,--max-vram-alloc" as CLI11 knows them: "--mva,--max-vram-alloc".
std::string cli_names(const Flag& flag) {
    std::vector<std::string> names = split(flag.names, ',');
    for (std::string& name : names) {
        const bool negative = name.starts_with('!');
        name = (negative ? "!" : "") + normal_name(name.substr(negative ? 1 : 0));
    }
    return fmt::format("{}", fmt::join(names, ","));
}

// Titles by FlagGroup.
constexpr std::array kTitles = {"Model",
                                "Context",
                                "Budget",
                                "Machine",
                                "What llama-bench would run",
                                "Output",
                                "Refused: pshard places the tensors itself"};

// Adds one row to a command line, by the kind of its target.
struct FlagAdder {
    CLI::App& app;
    const Flag& flag;
    Options& options;

    void add() {
        app.option_defaults()->group(kTitles[static_cast<std::size_t>(flag.group)]);
        CLI::Option* option =
            flag.take != nullptr
                ? add_taken()
                : std::visit([this](auto* to) { return add_to(to); }, flag.target(options));
        if (*flag.value != '\0') option->type_name(flag.value);
        if (flag.variable != nullptr && *flag.help != '\0') {
            option->description(fmt::format("{} (env: {})", flag.help, flag.variable));
        }
    }

    void check_words(CLI::Option& option) const {
        if (*flag.words != '\0') option.check(one_of(split(flag.words, '|')));
    }

    // Adds a value with checks of its own. CLI11 asks them in order; the last of several values
    // comes last.
    CLI::Option* add_taken() {
        CLI::Option* option = app.add_option_function<std::string>(
            cli_names(flag), [](const std::string&) {}, flag.help);
        check_words(*option);
        return option->check(CLI::Validator(
            [to = &options, take = flag.take](std::string& text) { return take(*to, text); }, ""));
    }

    // Adds a text or a number; a number has a range.
    template <typename Value>
    CLI::Option* add_to(Value* value) {
        CLI::Option* option = app.add_option(cli_names(flag), *value, flag.help);
        check_words(*option);
        if (flag.range.most == 0) return option;
        return option->check(whole_number(flag.range.least, flag.range.most));
    }

    CLI::Option* add_to(std::vector<std::string>* list) {
        return app.add_option(cli_names(flag), *list, flag.help)
            ->allow_extra_args(false)
            ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    }

    CLI::Option* add_to(bool* set) { return app.add_flag(cli_names(flag), *set, flag.help); }

    // Adds a switch: the last of its positive and negative names decides.
    CLI::Option* add_to(std::optional<bool>* set) {
        return app
            .add_flag_function(
                cli_names(flag), [set](std::int64_t count) { *set = count > 0; }, flag.help)
            ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }
};

template <typename Type>
std::string take_cache_type(Type& type, const std::string& text) {
    if (!kv_type_number(text)) {
        return fmt::format(
            "'{}' is no cache type: f32, f16, bf16, q8_0, q4_0, q4_1, iq4_nl, q5_0 or q5_1", text);
    }
    type = text;
    return "";
}

std::string take_ranges(std::string& list, const std::string& text) {
    const Result<std::vector<std::uint32_t>> values = read_ranges(text);
    if (!values) return values.error().message;
    list = text;
    return "";
}

class CommandLine {
public:
    explicit CommandLine(const PlanningProgram* program)
        : page_(program != nullptr ? program->page : plan_page()) {
        app_.set_version_flag("--version", fmt::format("{} {}", page_.name, PSHARD_VERSION));
        app_.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
        add_groups(FlagGroup::Model, FlagGroup::Machine);
        if (program != nullptr) {
            app_.option_defaults()->group("Output");
            program->add_flags(app_);
        } else {
            add_groups(FlagGroup::Bench, FlagGroup::Output);
        }
        add_groups(FlagGroup::Refused, FlagGroup::Refused);
    }

    [[nodiscard]] std::vector<ManualGroup> groups() const {
        return option_groups(app_, short_names());
    }

    std::variant<Options, EarlyExit> read(const std::vector<Argument>& arguments) {
        for (const Argument& argument : arguments) {
            if (std::string fault = spelling_fault(argument.word); !fault.empty()) {
                return EarlyExit{1, fault};
            }
        }
        const auto manual = [this] {
            page_.options = groups();
            return manual_text(page_);
        };
        if (auto early = parse(app_, arguments, manual)) return std::move(*early);
        note_given(arguments);
        add_refusals();
        if (std::string fault = this->fault(); !fault.empty()) return EarlyExit{1, fault};
        if (options_.quiet) silence_progress();
        return std::move(options_);
    }

private:
    [[nodiscard]] bool has_option(const std::string& name) const {
        return app_.get_option_no_throw(name) != nullptr;
    }

    // Tells what is wrong with a name after one dash, "" if nothing is. Only llama.cpp's short
    // names have one dash: CLI11 would read "-ctx-size" as "-c tx-size".
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

    void add_row(const Flag& flag) { FlagAdder{app_, flag, options_}.add(); }

    void add_groups(FlagGroup first, FlagGroup last) {
        for (const Flag& flag : kFlags) {
            if (flag.group >= first && flag.group <= last) add_row(flag);
        }
    }

    void note_given(const std::vector<Argument>& arguments) {
        for (const Flag& flag : kFlags) {
            const std::string name = first_name(flag);
            const CLI::Option* option = app_.get_option_no_throw(normal_name(name));
            if (option == nullptr || option->count() == 0) continue;
            const auto typed =
                std::find_if(arguments.rbegin(), arguments.rend(), [&](const Argument& argument) {
                    const bool is_flag = argument.word.starts_with('-');
                    return is_flag && app_.get_option_no_throw(name_of(argument.word)) == option;
                });
            options_.given[name] = typed == arguments.rend() ? name : name_of(typed->typed);
        }
    }

    std::string fault() const {
        const BenchOptions& bench = options_.bench;
        if (options_.context.n_parallel == 0) {
            return typed("-np") + " 0: there must be at least one sequence";
        }
        if (options_.model.empty() && options_.inventory.empty()) {
            return "no model: name one with -m (or LLAMA_ARG_MODEL); --help lists the flags";
        }
        const std::string lists = options_.typed_of({"-pg", "-d"});
        if (!lists.empty() && !bench.wanted) return lists + ": only with --bench-plan";
        if (options_.emit_args && options_.format != OutputFormat::Json &&
            options_.format != OutputFormat::Markdown) {
            return "--emit-args prints the flags, or with -o json what they come to";
        }
        if (bench.wanted && options_.context.n_ctx) {
            return fmt::format(
                "--bench-plan plans the contexts that -p, -n, -pg and -d make: leave {} out",
                typed("-c"));
        }
        if (bench.wanted && (!options_.inventory.empty() || !options_.save_inventory.empty())) {
            return "--bench-plan makes several inventories: leave out " +
                   options_.typed_of({"--inventory", "--save-inventory"});
        }
        if (is_same_file(options_.save_inventory, options_.registry)) {
            return "--registry and --save-inventory name the same file: give them two";
        }
        if (options_.emit_args && (bench.wanted || !options_.inventory.empty())) {
            return "--emit-args captures the model anew for each ubatch: leave out " +
                   options_.typed_of({"--bench-plan", "--inventory"});
        }
        return "";
    }

    [[nodiscard]] std::string typed(const char* flag) const { return options_.typed(flag); }

    void refuse(const std::string& flag, const std::string& reason) {
        options_.refusals.push_back(fmt::format("{}: {}", flag, reason));
    }

    void add_refusals() {
        const RefusedOptions& refused = options_.refused;
        if (!refused.split_mode.empty() && refused.split_mode != "none" &&
            refused.split_mode != "layer") {
            refuse(typed("-sm") + " " + refused.split_mode,
                   "pshard plans for one GPU; split modes row and tensor are not "
                   "supported");
        }
        if (!refused.n_gpu_layers.empty() && refused.n_gpu_layers != "auto") {
            refuse(typed("-ngl") + " " + refused.n_gpu_layers,
                   "n_gpu_layers is the plan's to choose");
        }
        if (!refused.tensor_split.empty()) {
            refuse(typed("-ts"), "tensor_split is not supported, pshard plans for one GPU");
        }
        const bool overrides = !refused.override_tensor.empty() || refused.cpu_moe ||
                               !refused.n_cpu_moe.empty() || !refused.n_cpu_ffn.empty();
        if (overrides) {
            refuse(options_.typed_of({"-ot", "-cmoe", "-ncmoe", "-ncffn"}),
                   "tensor_buft_overrides would place tensors against the plan");
        }
        if (refused.kv_offload && !*refused.kv_offload) {
            refuse(typed("-kvo"),
                   "KV offload is disabled, and the plan holds the KV cache on the GPU");
        }
    }

    CLI::App app_;
    Manual page_;
    Options options_;
};

}  // namespace

std::string take_flash_attention(Options& options, const std::string& text) {
    FlashAttention& flash_attention = options.context.flash_attention.emplace(FlashAttention::Auto);
    if (is_truthy(text)) flash_attention = FlashAttention::On;
    if (is_falsey(text)) flash_attention = FlashAttention::Off;
    return "";
}

std::string take_type_k(Options& options, const std::string& text) {
    return take_cache_type(options.context.type_k, text);
}

std::string take_type_v(Options& options, const std::string& text) {
    return take_cache_type(options.context.type_v, text);
}

std::string take_draft_type_k(Options& options, const std::string& text) {
    return take_cache_type(options.drafting.type_k, text);
}

std::string take_draft_type_v(Options& options, const std::string& text) {
    return take_cache_type(options.drafting.type_v, text);
}

std::string take_output_use(Options& options, const std::string& text) {
    OutputUse& use = options.context.output_use.emplace(OutputUse::Cli);
    OneOf<OutputUse, kOutputUseWords>::read(text, use);
    return "";
}

std::string take_prompts(Options& options, const std::string& text) {
    return take_ranges(options.bench.prompts, text);
}

std::string take_generations(Options& options, const std::string& text) {
    return take_ranges(options.bench.generations, text);
}

std::string take_depths(Options& options, const std::string& text) {
    return take_ranges(options.bench.depths, text);
}

// "1024", or llama.cpp's list for several devices, of which the first counts.
std::string take_fit_target(Options& options, const std::string& text) {
    std::string first = text.substr(0, text.find_first_of(",/"));
    std::string fault = whole_number(kMibFrom0.least, kMibFrom0.most)(first);
    if (fault.empty()) options.fit_target_mib = std::stoull(first);
    return fault;
}

std::string take_format(Options& options, const std::string& text) {
    static const std::map<std::string, OutputFormat> kFormats = {{"md", OutputFormat::Markdown},
                                                                 {"json", OutputFormat::Json},
                                                                 {"jsonl", OutputFormat::JsonLines},
                                                                 {"csv", OutputFormat::Csv}};
    options.format = kFormats.at(text);
    return "";
}

std::vector<ManualGroup> run_flag_groups() {
    CLI::App app;
    Options options;
    for (const Flag& flag : kFlags) {
        if (flag.in_run != InRun::Taken) continue;
        FlagAdder{app, flag, options}.add();
        if (flag.help_in_run == nullptr) continue;
        app.get_option(normal_name(first_name(flag)))->description(flag.help_in_run);
    }
    app.set_help_flag();
    return option_groups(app, short_names());
}

std::variant<Options, EarlyExit> read_command_line(int argc,
                                                   const char* const* argv,
                                                   const PlanningProgram* program) {
    Result<std::vector<Argument>> arguments =
        arguments_of_environment([](const char* name) { return std::getenv(name); });
    if (!arguments) return EarlyExit{1, arguments.error().text()};
    for (int i = 1; i < argc; ++i) arguments.value().push_back({normal_name(argv[i]), argv[i]});
    std::variant<Options, EarlyExit> read = CommandLine(program).read(arguments.value());
    if (Options* options = std::get_if<Options>(&read)) {
        if (const auto fault = read_variables(*options)) return *fault;
        infer_kind_of_drafting(*options);
    }
    return read;
}

}  // namespace pshard::tool
