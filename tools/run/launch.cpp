// Builds the command that starts the program of llama.cpp's with all that the plan assumes.
//
// In: the request (flags, program, profiles, environment) and the plan. Out: the words of the
// command, its environment, and the names of the variables that were set.
//
//   PROGRAM  -m MODEL --device PSHARD0          the device of the plan; stock: the user's, if any
//            -ngl all [-ot ...]                 where weights lie; PSHARD0 takes everything
//            -b -ub -c -np -kvu --swa-full      the context that the plan is for
//            -t -fa -ctk -ctv -fit off
//            -md DRAFT -ngld all -devd PSHARD0  the draft model, if there is one
//            --spec-type --spec-draft-n-max     how it drafts, if it does
//            -ctkd -ctvd
//            --mmproj FILE                      the projector, if there is one
//            -tb N                              if the user has given it
//            the user's own words behind `--`
//
// Flags are given even where the plan has their defaults: a configuration file or a variable of the
// user's must not change what the plan assumes. For the same reason check_arguments() refuses what
// the plan decides behind `--`, and the variables of such flags are taken out of the environment.
//
// Traps: each program has its own spelling. llama-bench has no -c, -np and -fit, since each test
// makes its own context, and writes -ngl all as -1. llama-perplexity makes several sequences of a
// batch that is larger than the context, so its -b is cut. llama.cpp takes --a_b for --a-b.
#include "run/launch.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "plan_flags/drafting.h"

namespace pshard::tool {
namespace {

using Words = std::vector<std::string>;

// A flag of llama.cpp's that the plan decides, by both names (common/arg.cpp and tools/llama-bench,
// v0.5.0).
struct DecidedFlag {
    std::string_view letter;
    std::string_view name;
    std::string_view variable{};  // in the environment; llama-bench reads none
};

constexpr std::array kDecided = {
    DecidedFlag{"-m", "--model", "LLAMA_ARG_MODEL"},
    DecidedFlag{"-c", "--ctx-size", "LLAMA_ARG_CTX_SIZE"},
    DecidedFlag{"-b", "--batch-size", "LLAMA_ARG_BATCH"},
    DecidedFlag{"-ub", "--ubatch-size", "LLAMA_ARG_UBATCH"},
    DecidedFlag{"-np", "--parallel", "LLAMA_ARG_N_PARALLEL"},
    DecidedFlag{"-kvu", "--kv-unified", "LLAMA_ARG_KV_UNIFIED"},
    DecidedFlag{"-no-kvu", "--no-kv-unified", "LLAMA_ARG_NO_KV_UNIFIED"},
    DecidedFlag{"-t", "--threads", "LLAMA_ARG_THREADS"},
    DecidedFlag{"-fa", "--flash-attn", "LLAMA_ARG_FLASH_ATTN"},
    DecidedFlag{"-ctk", "--cache-type-k", "LLAMA_ARG_CACHE_TYPE_K"},
    DecidedFlag{"-ctv", "--cache-type-v", "LLAMA_ARG_CACHE_TYPE_V"},
    DecidedFlag{"", "--swa-full", "LLAMA_ARG_SWA_FULL"},
    DecidedFlag{"-dev", "--device", "LLAMA_ARG_DEVICE"},
    DecidedFlag{"-fit", "--fit", "LLAMA_ARG_FIT"},
    DecidedFlag{"-fitt", "--fit-target", "LLAMA_ARG_FIT_TARGET"},
    DecidedFlag{"-ngl", "--n-gpu-layers", "LLAMA_ARG_N_GPU_LAYERS"},
    DecidedFlag{"", "--gpu-layers"},
    DecidedFlag{"-ot", "--override-tensor", "LLAMA_ARG_OVERRIDE_TENSOR"},
    DecidedFlag{"-sm", "--split-mode", "LLAMA_ARG_SPLIT_MODE"},
    DecidedFlag{"-ts", "--tensor-split", "LLAMA_ARG_TENSOR_SPLIT"},
    DecidedFlag{"-mg", "--main-gpu", "LLAMA_ARG_MAIN_GPU"},
    DecidedFlag{"-cmoe", "--cpu-moe", "LLAMA_ARG_CPU_MOE"},
    DecidedFlag{"-ncmoe", "--n-cpu-moe", "LLAMA_ARG_N_CPU_MOE"},
    DecidedFlag{"-ncffn", "--n-cpu-ffn", "LLAMA_ARG_N_CPU_FFN"},
    DecidedFlag{"-nkvo", "--no-kv-offload", "LLAMA_ARG_NO_KV_OFFLOAD"},
    DecidedFlag{"-md", "--model-draft", "LLAMA_ARG_SPEC_DRAFT_MODEL"},
    DecidedFlag{"-md", "--spec-draft-model"},
    DecidedFlag{"-devd", "--device-draft"},
    DecidedFlag{"", "--spec-draft-device"},
    DecidedFlag{"-ngld", "--n-gpu-layers-draft", "LLAMA_ARG_N_GPU_LAYERS_DRAFT"},
    DecidedFlag{"", "--gpu-layers-draft"},
    DecidedFlag{"", "--spec-draft-ngl"},
    DecidedFlag{"-hfd", "--hf-repo-draft", "LLAMA_ARG_SPEC_DRAFT_HF_REPO"},
    DecidedFlag{"-hfrd", "--spec-draft-hf"},
    DecidedFlag{"-ctkd", "--cache-type-k-draft", "LLAMA_ARG_SPEC_DRAFT_CACHE_TYPE_K"},
    DecidedFlag{"", "--spec-draft-type-k"},
    DecidedFlag{"-ctvd", "--cache-type-v-draft", "LLAMA_ARG_SPEC_DRAFT_CACHE_TYPE_V"},
    DecidedFlag{"", "--spec-draft-type-v"},
    DecidedFlag{"-otd", "--override-tensor-draft"},
    DecidedFlag{"", "--spec-draft-override-tensor"},
    DecidedFlag{"-cmoed", "--cpu-moe-draft"},
    DecidedFlag{"", "--spec-draft-cpu-moe"},
    DecidedFlag{"-ncmoed", "--n-cpu-moe-draft"},
    DecidedFlag{"--spec-draft-ncmoe", "--spec-draft-n-cpu-moe"},
    DecidedFlag{"-hf", "--hf-repo", "LLAMA_ARG_HF_REPO"},
    DecidedFlag{"-hfr", "--hf-repo"},
    DecidedFlag{"-mm", "--mmproj", "LLAMA_ARG_MMPROJ"},
};

std::string with_dashes(std::string word) {
    if (word.starts_with("--")) std::replace(word.begin(), word.end(), '_', '-');
    return word;
}

// The flags of one program, in its spelling.
class Spelling {
public:
    explicit Spelling(ProgramKind kind) : bench_(kind == ProgramKind::Bench), kind_(kind) {}

    Words words(const std::string& model, const RunPlan& plan) {
        add("-m", model);
        if (!plan.stock) add("--device", "PSHARD0");
        add_placement(plan);
        add_context(plan);
        add("-t", std::to_string(plan.n_threads));
        add("-fa", plan.flash_attention);
        add("-ctk", plan.type_k);
        add("-ctv", plan.type_v);
        if (!bench_) add("-fit", "off");
        return std::move(words_);
    }

private:
    void add(const std::string& flag, const std::string& value) {
        words_.insert(words_.end(), {flag, value});
    }

    // Gives the GPU, or PSHARD0, all that is not placed elsewhere, whatever a configuration file
    // says. llama-bench has no word for all.
    void add_placement(const RunPlan& plan) {
        if (!plan.placement) {
            add("-ngl", bench_ ? "-1" : "all");
            return;
        }
        const StockPlacement& placement = *plan.placement;
        add("-ngl", std::to_string(placement.n_gpu_layers));
        if (!placement.cpu_patterns.empty()) {
            add("-ot", fmt::format("{}=CPU", fmt::join(placement.cpu_patterns, "=CPU,")));
        }
        if (!placement.op_offload) words_.emplace_back("--no-op-offload");
    }

    void add_context(const RunPlan& plan) {
        if (plan.n_batch > 0) add("-b", std::to_string(batch(plan)));
        if (plan.n_ubatch > 0) add("-ub", std::to_string(plan.n_ubatch));
        if (bench_) return;
        add("-c", std::to_string(plan.n_ctx));
        add("-np", std::to_string(plan.n_seq_max));
        if (takes_kv_unified(kind_)) words_.emplace_back(plan.kv_unified ? "-kvu" : "-no-kvu");
        if (plan.swa_full) words_.emplace_back("--swa-full");
    }

    // The -b of the plan. llama-perplexity makes several sequences of a batch that is larger than
    // the context.
    [[nodiscard]] std::uint32_t batch(const RunPlan& plan) const {
        if (kind_ != ProgramKind::Perplexity) return plan.n_batch;
        return std::min(plan.n_batch, plan.n_ctx);
    }

    bool bench_;
    ProgramKind kind_;
    Words words_;
};

// How the run drafts, and the projector. Both lie on the model's GPU, in what the plan leaves of
// the budget. The user may have said behind `--` what drafts.
Words drafting_words(const RunOptions& options, bool stock) {
    const Words all = drafting_words(options.plan);
    Words words;
    for (std::size_t i = 0; i < all.size(); i += 2) {
        if (!value_behind(options.command, all[i]).empty()) continue;
        words.insert(words.end(), {all[i], all[i + 1]});
    }
    const bool has_device = !stock && !options.plan.draft_model.empty();
    if (has_device) words.insert(words.end(), {"-devd", "PSHARD0"});
    return words;
}

class Environment {
public:
    explicit Environment(const Surroundings& here) : here_(here), variables_(here.environment) {}

    // Drops the variables of decided flags: llama.cpp would warn of each that a flag overwrites.
    void forget_decided() {
        for (const DecidedFlag& flag : kDecided) variables_.erase(std::string(flag.variable));
    }

    // Sets the backend's variables. It plans with the profiles where no plan matches.
    void set_plan(const RunPlan& plan, const Profiles& profiles) {
        set("GGML_BACKEND_PATH", here_.plugin);
        set("PSHARD_MAX_VRAM_ALLOC", std::to_string(plan.budget_mib));
        set("PSHARD_REGISTRY", plan.registry);
        set("PSHARD_FINGERPRINT", plan.fingerprint);
        const std::string device = device_text(inner_device(here_));
        if (!device.empty()) set("PSHARD_DEVICE", device);
        if (!profiles.cpu.empty()) set("PSHARD_CPU_PROFILE", profiles.cpu);
        if (!profiles.gpu.empty()) set("PSHARD_GPU_PROFILE", profiles.gpu);
    }

    // Lets stock see the device that PSHARD0 would compute on.
    void set_stock() {
        const std::string library = inner_device(here_).library;
        variables_.erase("GGML_BACKEND_PATH");
        if (!library.empty()) set("GGML_BACKEND_PATH", library);
    }

    Variables variables() { return variables_; }

    Words names() { return names_; }

private:
    void set(const std::string& name, const std::string& value) {
        variables_[name] = value;
        names_.push_back(name);
    }

    const Surroundings& here_;
    Variables variables_;
    Words names_;
};

// The device that stock computes on, if the user has named one; else llama.cpp takes all GPUs.
Words stock_device(const Surroundings& here) {
    const InnerDevice device = inner_device(here);
    if (device.is_cpu()) return {"--device", "none"};
    if (device.name.empty()) return {};
    return {"--device", device.name};
}

nlohmann::ordered_json json_of(const RunPlan& plan) {
    return {{"stock", plan.stock},
            {"why", plan.why},
            {"registry", plan.registry},
            {"fingerprint", plan.fingerprint},
            {"budget_mib", plan.budget_mib},
            {"n_ctx", plan.n_ctx},
            {"n_batch", plan.n_batch},
            {"n_ubatch", plan.n_ubatch},
            {"n_seq_max", plan.n_seq_max},
            {"kv_unified", plan.kv_unified},
            {"swa_full", plan.swa_full},
            {"flash_attention", plan.flash_attention},
            {"type_k", plan.type_k},
            {"type_v", plan.type_v},
            {"n_threads", plan.n_threads}};
}

}  // namespace

Status check_arguments(const HostProgram& program, const Words& arguments) {
    for (const std::string& argument : arguments) {
        const std::string word = with_dashes(argument);
        for (const DecidedFlag& flag : kDecided) {
            if (word != flag.letter && word != flag.name) continue;
            return Error{fmt::format("{} stands behind --: the plan decides it, so give it before "
                                     "--, if llama-pshard-run knows it, or leave it out",
                                     argument),
                         {program.name}};
        }
    }
    return Done{};
}

Launch make_launch(const PlanRequest& request, const RunPlan& plan) {
    Environment environment(request.here);
    environment.forget_decided();
    if (plan.stock) {
        environment.set_stock();
    } else {
        environment.set_plan(plan, request.profiles);
    }
    const Words& given = request.options.command;
    Words words = {request.program.path};
    const Words flags = Spelling(request.program.kind).words(request.options.plan.model, plan);
    words.insert(words.end(), flags.begin(), flags.end());
    const Words draft = drafting_words(request.options, plan.stock);
    words.insert(words.end(), draft.begin(), draft.end());
    if (plan.stock) {
        const Words device = stock_device(request.here);
        words.insert(words.end(), device.begin(), device.end());
    }
    if (request.options.plan.n_threads_batch && request.program.kind != ProgramKind::Bench) {
        words.insert(words.end(), {"-tb", std::to_string(*request.options.plan.n_threads_batch)});
    }
    words.insert(words.end(), given.begin() + 1, given.end());
    return {{std::move(words), environment.variables()}, environment.names()};
}

std::string dry_run_text(const PlanRequest& request, const RunPlan& plan, const Launch& launch) {
    if (!request.options.json) {
        const std::string planning =
            plan.planning.empty() ? "" : shell_text({plan.planning, {}}, {}) + "\n";
        return planning + shell_text(launch.command, launch.set) + "\n";
    }
    nlohmann::ordered_json variables = nlohmann::ordered_json::object();
    for (const std::string& name : launch.set) {
        variables[name] = launch.command.environment.at(name);
    }
    nlohmann::ordered_json document = {{"schema", "pshard-run"},
                                       {"version", 1},
                                       {"program", request.program.name},
                                       {"model", request.options.plan.model},
                                       {"draft_model", request.options.plan.draft_model},
                                       {"environment", std::move(variables)},
                                       {"planning", plan.planning},
                                       {"command", launch.command.words},
                                       {"plan", json_of(plan)},
                                       {"cpu_profile", request.profiles.cpu},
                                       {"gpu_profile", request.profiles.gpu}};
    return document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace pshard::tool
