// Makes the planner's command line of a run: the user's flags, and what program and machine add.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.h"
#include "common/folders.h"
#include "machine/profile_text.h"
#include "plan_flags/bench_contexts.h"
#include "plan_flags/drafting.h"
#include "plan_flags/flags.h"
#include "planning/jobs.h"
#include "run/goal.h"
#include "run/run_plan.h"

namespace pshard::tool {
namespace {

using Words = std::vector<std::string>;

constexpr std::uint32_t kPerplexityContext = 512;  // llama-perplexity's own default for -c

// The program whose rows of logits the plan counts with.
std::string output_use(ProgramKind kind) {
    switch (kind) {
        case ProgramKind::Server:
            return "server";
        case ProgramKind::Bench:
            return "bench";
        case ProgramKind::Perplexity:
            return "perplexity";
        case ProgramKind::Cli:
        case ProgramKind::Completion:
            break;
    }
    return "cli";
}

// A flag of llama-bench's behind `--` that says what it will run.
struct BenchFlag {
    std::string_view letter;
    std::string_view name;
};

constexpr std::array kBenchFlags = {BenchFlag{"-p", "--n-prompt"},
                                    BenchFlag{"-n", "--n-gen"},
                                    BenchFlag{"-d", "--n-depth"},
                                    BenchFlag{"-pg", "-pg"}};

// What llama-bench will run. It adds up the values of a flag that comes twice; the planner wants
// them in one.
BenchOptions bench_options(const Words& command) {
    BenchOptions bench;
    const auto add = [](std::string& list, const std::string& values) {
        list += (list.empty() ? "" : ",") + values;
    };
    for (std::size_t i = 1; i + 1 < command.size(); ++i) {
        const auto is = [&](const BenchFlag& flag) {
            return command[i] == flag.letter || command[i] == flag.name;
        };
        if (is(kBenchFlags[0])) add(bench.prompts, command[i + 1]);
        if (is(kBenchFlags[1])) add(bench.generations, command[i + 1]);
        if (is(kBenchFlags[2])) add(bench.depths, command[i + 1]);
        if (is(kBenchFlags[3])) bench.prompt_generations.push_back(command[i + 1]);
    }
    return bench;
}

// The planner's arguments for llama-bench. All tests get one ubatch: llama-bench has one -ub, and
// every context must hold what it reserves.
Result<Words> bench_arguments(const PlanRequest& request) {
    const BenchOptions bench = bench_options(request.options.command);
    Words arguments = {"--bench-plan"};
    const auto add = [&](const char* flag, const std::string& value) {
        if (!value.empty()) arguments.insert(arguments.end(), {flag, value});
    };
    add("-p", bench.prompts);
    add("-n", bench.generations);
    add("-d", bench.depths);
    for (const std::string& pair : bench.prompt_generations) add("-pg", pair);
    const Result<std::vector<BenchContext>> contexts = bench_contexts(bench);
    if (!contexts) return contexts.error();
    std::uint32_t largest = 0;
    for (const BenchContext& context : contexts.value()) {
        largest = std::max(largest, context.tier_cap);
    }
    if (!largest_given(request.options.plan.context)) {
        const std::uint64_t most = std::min<std::uint64_t>(largest, kBatch.most);
        arguments.push_back(fmt::format("--pshard-tier-max={}", most));
    }
    return arguments;
}

// The model of a device that the plan is for, by the backend that the profile was measured on.
Result<std::string> device_model(const PlanRequest& request) {
    if (request.profiles.gpu.empty()) return std::string("cuda");
    const Result<MachineProfile> profile = read_profile_files({"", request.profiles.gpu});
    if (!profile) return profile.error();
    const bool vulkan = profile.value().gpu && profile.value().gpu->backend.starts_with("Vulkan");
    return std::string(vulkan ? "vulkan" : "cuda");
}

void add_profiles(const Profiles& profiles, Words& arguments) {
    if (!profiles.cpu.empty()) arguments.push_back("--cpu-profile=" + profiles.cpu);
    if (!profiles.gpu.empty()) arguments.push_back("--gpu-profile=" + profiles.gpu);
}

void add_files(const Options& plan, Words& arguments) {
    arguments.push_back("--model=" + plan.model);
    if (!plan.draft_model.empty()) arguments.push_back("--model-draft=" + plan.draft_model);
    if (!plan.mmproj.empty()) arguments.push_back("--mmproj=" + plan.mmproj);
    if (!plan.registry.empty()) arguments.push_back("--registry=" + plan.registry);
}

// Takes the backend's variables as defaults of the flags.
Status take_variables(const Variables& environment, RunOptions& options) {
    constexpr const char* kBudget = "PSHARD_MAX_VRAM_ALLOC";
    const std::string budget = value_of(environment, kBudget);
    const std::string registry = value_of(environment, "PSHARD_REGISTRY");
    if (options.plan.registry.empty()) options.plan.registry = registry;
    if (options.plan.max_vram_mib > 0 || budget.empty()) return Done{};
    const Result<std::uint32_t> mib = mib_of(kBudget, budget);
    if (!mib) return mib.error();
    options.plan.max_vram_mib = mib.value();
    options.plan_arguments.push_back("--max-vram-alloc=" + budget);
    return Done{};
}

// Takes what the words behind `--` say of drafting, which the planner must know, too.
Status take_drafting(const HostProgram& program, RunOptions& options) {
    Options& plan = options.plan;
    const std::string types = value_behind(options.command, kSpecType);
    const std::string n_max = value_behind(options.command, kSpecMax);
    if (!types.empty()) {
        if (std::string fault = take_spec_types(plan, types); !fault.empty()) {
            return Error{fmt::format("--spec-type: {}", fault), {program.name}};
        }
        options.plan_arguments.push_back("--spec-type=" + types);
    }
    if (!n_max.empty()) {
        plan.drafting.n_max = number_of<std::uint32_t>(n_max);
        options.plan_arguments.push_back("--spec-draft-n-max=" + n_max);
    }
    infer_kind_of_drafting(plan);
    if (takes_draft_model(program.kind)) return Done{};
    if (!kinds_of_drafting(plan).empty()) {
        return Error{fmt::format("{}: this program does not draft; leave it out",
                                 plan.typed_of({"-md", "--mtp", "--spec-type"})),
                     {program.name}};
    }
    if (plan.mmproj.empty()) return Done{};
    return Error{
        fmt::format("{}: this program takes no projector; leave it out", plan.typed("-mm")),
        {program.name}};
}

}  // namespace

Status complete_options(const HostProgram& program,
                        const Variables& environment,
                        RunOptions& options) {
    if (Status taken = take_variables(environment, options); !taken) return taken;
    ContextOptions& context = options.plan.context;
    const bool bench = program.kind == ProgramKind::Bench;
    Options& plan = options.plan;
    for (std::string* path : {&plan.model, &plan.draft_model, &plan.mmproj, &plan.registry}) {
        if (Status made = make_absolute(*path); !made) return made;
    }
    if (plan.model.empty()) return Error{"no model: name one with -m (or LLAMA_ARG_MODEL)", {}};
    if (bench && context.n_ctx) {
        return Error{"llama-bench sets -c itself, by its -p, -n, -pg and -d: leave -c out", {}};
    }
    if (Status taken = take_drafting(program, options); !taken) return taken;
    if (program.kind == ProgramKind::Perplexity && !context.n_ctx) {
        context.n_ctx = kPerplexityContext;
        options.plan_arguments.push_back(fmt::format("--ctx-size={}", kPerplexityContext));
    }
    return Done{};
}

Result<Words> planner_arguments(const PlanRequest& request) {
    const Result<std::string> device = device_model(request);
    if (!device) return device.error();
    const ProgramKind kind = request.program.kind;
    Words arguments = {"--device=" + device.value(), "--for=" + output_use(kind)};
    if (request.options.goal && kind != ProgramKind::Bench) {
        const Workload work = workload_of(request.options.goal, 0);
        arguments.push_back(fmt::format("--n-prompt={}", work.prompt));
        arguments.push_back(fmt::format("--n-gen={}", work.answer));
    }
    const Words& given = request.options.plan_arguments;
    arguments.insert(arguments.end(), given.begin(), given.end());
    arguments.push_back(fmt::format("--threads={}", request.n_threads));
    add_files(request.options.plan, arguments);
    add_profiles(request.profiles, arguments);
    if (kind != ProgramKind::Bench) return arguments;
    const Result<Words> bench = bench_arguments(request);
    if (!bench) return bench.error();
    arguments.insert(arguments.end(), bench.value().begin(), bench.value().end());
    return arguments;
}

}  // namespace pshard::tool
