// Servers that run by registries of llama-pshard-plan-params, and runs that cannot.
#include <filesystem>
#include <fstream>

#include "backend/harness/expect.h"
#include "backend/harness/programs.h"
#include "backend/harness/projector.h"
#include "backend/harness/server.h"
#include "base/temp_folder.h"
#include "build_paths.h"
#include "support/testing.h"

namespace pshard::backend_test {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kContext = {
    "-c", "2048", "-np", "4", "-b", "128", "-ub", "32", "-fa", "on"};

// A folder with models of the grid's rows, and later their registries.
class Registry : public testing::Test {
protected:
    void SetUp() override { PSHARD_NEEDS_PLUGIN(); }

    std::string add(const std::string& row) {
        Grid grid(inner_device("cpu"));
        const std::vector<std::string>& files = grid.model_files(model_row(row));
        for (const fs::path file : files) fs::copy_file(file, folder_.file(file.filename()));
        return folder_.file(fs::path(files.front()).filename());
    }

    // Plans for an assumed machine, as no profile lies in the folder.
    void plan(const std::string& model,
              int budget_mib,
              const std::vector<std::string>& context = kContext) const {
        ChildProgram program{.command = {PSHARD_TOOL_PATH_PLAN_PARAMS, "-m", model}};
        program.with(context).with({"-mva", std::to_string(budget_mib)});
        program.folder = folder_.file("");
        const ChildResult result = run(program);
        ASSERT_TRUE(result.ok()) << result.text();
        ASSERT_TRUE(fs::exists(registry_of(model)));
    }

    std::string add_planned(const std::string& row, int budget_mib) {
        std::string model = add(row);
        plan(model, budget_mib);
        return model;
    }

    static std::string registry_of(const std::string& model) {
        return model + ".tensor_overrides.pshard_registry";
    }

    static std::string registry_text(const std::string& model) {
        return test::text_in(registry_of(model));
    }

private:
    test::TempFolder folder_{};
};

ChildProgram in_context(ChildProgram program) { return program.with(kContext); }

ChildProgram server_of(const std::string& model, const std::string& device) {
    return in_context(llama_program("llama-server", model, device));
}

// The program runs by a registry's plan or not at all; the CPU stands in for the GPU.
ChildProgram planned(ChildProgram program, int budget_mib) {
    program.environment.insert({{"GGML_BACKEND_PATH", PSHARD_PLUGIN_PATH},
                                {"PSHARD_DEVICE", "CPU"},
                                {"PSHARD_PLAN", "off"},
                                {"PSHARD_MAX_VRAM_ALLOC", std::to_string(budget_mib)}});
    return program;
}

// What a server on PSHARD0 has logged, having said what stock says.
std::string log_as_stock(const ChildProgram& ours, const ChildProgram& stock, Talker talker) {
    const Told told = told_by(ours, talker);
    EXPECT_EQ(told.talk, told_by(stock, talker).talk);
    return told.log;
}

std::string log_of(const ChildProgram& program) {
    const ChildResult result = run(program);
    EXPECT_TRUE(result.ok()) << result.text();
    return result.err;
}

// It is read at the first graph; what becomes of it then changes nothing.
TEST_F(Registry, MayBeChangedAndDeletedUnderAServer) {
    const std::string model = add_planned("llama-Q8_0", 4);
    Server stock(server_of(model, "none"));
    Server ours(planned(server_of(model, "PSHARD0"), 4));
    EXPECT_EQ(talk_with(ours, talk), talk_with(stock, talk));
    std::ofstream(registry_of(model)) << "not a registry\n";
    EXPECT_EQ(talk_with(ours, talk), talk_with(stock, talk));
    fs::remove(registry_of(model));
    EXPECT_EQ(talk_with(ours, crowded_talk), talk_with(stock, crowded_talk));
    EXPECT_EQ(stock.stop().exit_code, 0);
    EXPECT_EQ(ours.stop().exit_code, 0);
    EXPECT_THAT(ours.stop().err, HasSubstr(": the variant of 4 MiB\n"));
}

struct PlannedRow {
    std::string model;
    int budget_mib;  // not all of the model fits into it
};

void PrintTo(const PlannedRow& row, std::ostream* out) { *out << row.model; }

class PlanOf : public Registry, public testing::WithParamInterface<PlannedRow> {};

// The backend sees the graph and comes to the steps that the planner has priced, or would warn.
TEST_P(PlanOf, IsOfTheStepsOfTheRun) {
    const auto& [row, budget_mib] = GetParam();
    const std::string model = add(row);
    plan(model, budget_mib, {"-c", "512", "-fa", "on", "--pshard-tier-max", "64"});
    ASSERT_THAT(registry_text(model), AllOf(HasSubstr(" ops="), HasSubstr(" steps=")));
    EXPECT_THAT(log_of(planned(completion(model, 4), budget_mib)
                           .with({"-c", "512", "-fa", "on", "-b", "64", "-ub", "64"})),
                AllOf(HasSubstr("pshard: plan from "), Not(HasSubstr("warning"))));
}

INSTANTIATE_TEST_SUITE_P(Registry,
                         PlanOf,
                         Values(PlannedRow{"llama-Q8_0", 3},
                                PlannedRow{"gemma3-Q8_0", 5},
                                PlannedRow{"qwen3moe-Q8_0", 8},
                                PlannedRow{"gpt-oss-Q8_0", 8},
                                PlannedRow{"qwen3next-Q8_0", 16},
                                PlannedRow{"glm4moe-Q8_0", 8}),
                         test::NamedByParameter());

// The device lacks Mistral 4's down projections. PSHARD0 takes them on, so that the graph comes
// whole and is the one that was planned; in pieces, the backend would warn.
TEST_F(Registry, OfWhatTheGpuCannotComputeIsThatOfTheRun) {
    const InnerDevice device = inner_device("simgpu");
    PSHARD_NEEDS_DEVICE(device);
    const std::string model = add("mistral4-Q8_0");
    plan(model, 10, {"-c", "512", "-fa", "off", "--pshard-tier-max", "64"});
    ASSERT_THAT(registry_text(model),
                AllOf(HasSubstr(" ops="), HasSubstr("^blk\\.0\\.ffn_down_exps\\.weight$=")));
    ChildProgram ours = planned(completion(model, 4), 10);
    for (const auto& [name, value] : device.inner) ours.environment[name] = value;
    EXPECT_THAT(log_of(ours.with({"-c", "512", "-fa", "off", "-b", "64", "-ub", "64"})),
                AllOf(HasSubstr("pshard: plan from "), Not(HasSubstr("warning"))));
}

// A GPU that is planned for by default has no kernel for the scans of so small a model, and does
// not see their weights; the CPU in its place does. The plan serves both.
TEST_F(Registry, OfWhatTheGpuCannotComputeServesTheCpuInItsPlace) {
    const std::string model = add("granitehybrid-Q8_0");
    plan(model, 4, {"-c", "512", "-fa", "on", "--pshard-tier-max", "64"});
    ASSERT_THAT(registry_text(model), HasSubstr(" all_weights="));
    EXPECT_THAT(log_of(planned(completion(model, 4), 4)
                           .with({"-c", "512", "-fa", "on", "-b", "64", "-ub", "64"})),
                HasSubstr("pshard: plan from "));
}

// Two models, two registries, one budget that is their sum.
TEST_F(Registry, OfADraftModelIsFoundBesideIt) {
    const std::string model = add_planned("llama-Q8_0", 4);
    const std::string draft = add_planned("llama-F16", 3);
    const auto drafting = [&](const std::string& device) {
        return server_of(model, device)
            .with({"-md", draft, "-devd", device, "--spec-type", "draft-simple"});
    };
    EXPECT_THAT(log_as_stock(planned(drafting("PSHARD0"), 7), drafting("none"), drafted_talk),
                AllOf(HasSubstr(fmt::format("{}: the variant of 4 MiB\n", registry_of(model))),
                      HasSubstr(fmt::format("{}: the variant of 3 MiB\n", registry_of(draft))),
                      Not(HasSubstr("are there"))));
}

// The registry has the name of the file that llama.cpp is given, though the weights lie in five.
TEST_F(Registry, OfASplitModelIsFoundBesideItsFirstFile) {
    const std::string model = add_planned("llama-Q8_0-in-5", 4);
    for (const char* mode : {"mmap", "none"}) {
        const auto loaded = [&](const std::string& device) {
            return server_of(model, device).with({"--load-mode", mode});
        };
        EXPECT_THAT(log_as_stock(planned(loaded("PSHARD0"), 4), loaded("none"), talk),
                    HasSubstr(registry_of(model) + ": the variant of 4 MiB\n"));
    }
}

// The context that drafts with the model's own MTP layers comes after the main one's warm-up: both
// run by the plan that left room for it.
TEST_F(Registry, HoldsWithTheContextOfTheMtpLayers) {
    const std::string model = add("glm4moe-Q8_0");
    std::vector<std::string> context = kContext;
    context.insert(context.end(), {"--mtp", "--pshard-tier-max", "32"});
    plan(model, 20, context);
    const auto drafting = [&](const std::string& device) {
        return server_of(model, device).with({"--spec-type", "draft-mtp"});
    };
    const std::string said =
        log_as_stock(planned(drafting("PSHARD0"), 20), drafting("none"), drafted_talk);
    const std::string start = "pshard: plan from ";
    EXPECT_NE(said.find(start), said.rfind(start)) << said;  // once more, with both contexts
    EXPECT_THAT(said, Not(HasSubstr("another context")));
}

// A projector (--mmproj) is in no registry: it has what the model's plan leaves of the budget, or
// else the CPU.
TEST_F(Registry, OfAModelIsUsedBesideAProjector) {
    const std::string model = add_planned("llama-Q8_0", 4);
    const std::string projector = model + ".mmproj.gguf";
    write_random_projector(projector, "llama");
    const auto seeing = [&](const std::string& device) {
        return server_of(model, device).with({"--mmproj", projector});
    };
    const Talk expected = told_by(seeing("none"), seeing_talk).talk;
    for (const auto& [budget, place] : {std::pair{4, "the CPU"}, std::pair{5, "the GPU"}}) {
        const Told ours = told_by(planned(seeing("PSHARD0"), budget), seeing_talk);
        EXPECT_EQ(ours.talk, expected);
        EXPECT_THAT(
            ours.log,
            AllOf(HasSubstr(": the variant of 4 MiB\n"),
                  HasSubstr("the projector (--mmproj): planning here"),
                  HasSubstr(fmt::format("it has the {} MiB that are left", budget - 4)),
                  ContainsRegex(fmt::format("plan up to 64 tokens: .* head on {}", place))));
    }
}

// A server without a plan answers no request, and says why.
TEST_F(Registry, WithoutAMatchAServerRefusesRequests) {
    Server server(planned(server_of(add("llama-Q8_0"), "PSHARD0"), 4));
    ASSERT_TRUE(server.wait_until_ready().ok());
    const Result<Talk> told = talk(server);
    ASSERT_FALSE(told.ok());
    EXPECT_THAT(told.error().text(), HasSubstr("500"));
    EXPECT_THAT(server.stop().err, HasSubstr("no registry lies beside the model, and PSHARD_PLAN"));
}

// A copy that was broken off looks like this.
TEST_F(Registry, OfWhichTheEndIsMissingIsNotUsed) {
    const std::string model = add_planned("llama-Q8_0", 4);
    fs::resize_file(registry_of(model), registry_text(model).rfind("[tier"));
    const ChildResult result = run(planned(in_context(completion(model, 4)), 4));
    EXPECT_EQ(result.exit_code, 1) << result.text();
    EXPECT_THAT(result.err, HasSubstr("its tiers are damaged, the file was cut off"));
}

// llama-bench makes a context for each test; the first is gone when the second comes.
TEST_F(Registry, HasThePlansOfContextsThatFollowOneAnother) {
    const std::vector<std::string> tests = {"-p", "512", "-n", "16", "-ub", "32", "-fa", "on"};
    const std::string model = add("llama-Q8_0");
    std::vector<std::string> all = tests;
    all.emplace_back("--bench-plan");
    plan(model, 4, all);
    ChildProgram program{
        .command = {PSHARD_LLAMA_BIN_DIR "/llama-bench", "-m", model, "-r", "1", "-t", "1"}};
    const ChildResult result = run(planned(program.with({"-dev", "PSHARD0"}).with(tests), 4));
    EXPECT_TRUE(result.ok()) << result.text();
    EXPECT_THAT(result.out, AllOf(HasSubstr("pp512"), HasSubstr("tg16")));
}

// "0x0123456789abcdef" of the sections, the newest last.
std::vector<std::string> sections_of(const std::string& registry) {
    std::istringstream lines(registry);
    std::vector<std::string> found;
    const std::string head = "[fingerprint=";
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(head)) found.push_back(line.substr(head.size(), 18));
    }
    return found;
}

// Each number of threads has a section of its own.
TEST_F(Registry, TakesThePlanThatIsNamedOfSeveral) {
    const std::string model = add("llama-Q8_0");
    for (const char* n_threads : {"2", "8"}) {
        std::vector<std::string> context = kContext;
        context.insert(context.end(), {"-t", n_threads});
        plan(model, 4, context);
    }
    const std::vector<std::string> sections = sections_of(registry_text(model));
    ASSERT_EQ(sections.size(), 2U);
    ChildProgram program = planned(in_context(completion(model, 4)), 4);
    EXPECT_THAT(log_of(program),
                AllOf(HasSubstr("pshard: warning: 2 plans for 4 MiB match, " + sections[0]),
                      HasSubstr(" (-t 2), " + sections[1])));
    for (const std::string& section : sections) {
        program.environment["PSHARD_FINGERPRINT"] = section;
        EXPECT_THAT(log_of(program),
                    AllOf(HasSubstr("pshard: plan from "), Not(HasSubstr("pshard: warning"))));
    }
    program.environment["PSHARD_FINGERPRINT"] = "0x0000000000000007";
    program.environment["PSHARD_PLAN"] = "auto";
    EXPECT_THAT(log_of(program),
                HasSubstr("it holds no plan that PSHARD_FINGERPRINT names: planning here"));
}

// The model could lie on the device as a whole.
TEST_F(Registry, WithAPlanForMuchLessThanThereIsSaysSo) {
    ChildProgram program = planned(in_context(completion(add_planned("llama-Q8_0", 4), 4)), 4);
    for (const char* budget : {"40", "0", ""}) {
        program.environment["PSHARD_MAX_VRAM_ALLOC"] = budget;
        const std::string log = log_of(program);
        const std::string start = "pshard: warning: the plan is for 4 MiB and ";
        EXPECT_THAT(log, HasSubstr(start + (*budget == '4' ? "40 are there: " : "")));
        EXPECT_EQ(log.find(start), log.rfind(start)) << log;
    }
}

TEST_F(Registry, WithoutOneAProfilePlansHere) {
    ChildProgram program = planned(in_context(completion(add("llama-Q8_0"), 4)), 4);
    const std::string profiles = PSHARD_SOURCE_DIR "/profiles/reference/";
    program.environment["PSHARD_PLAN"] = "auto";
    program.environment["PSHARD_CPU_PROFILE"] = profiles + "cpu_profile.txt";
    program.environment["PSHARD_GPU_PROFILE"] = profiles + "gpu_profile.txt";
    EXPECT_THAT(log_of(program),
                AllOf(HasSubstr("planning here, by " + profiles), HasSubstr(" t/s expected; ")));
}

// The device has less memory than the plan's budget when the first graph comes: another program
// took it.
TEST_F(Registry, OfAPlanThatTheDeviceRefusesIsPlannedAnew) {
    const std::string model = add_planned("llama-Q8_0", 4);
    ChildProgram ours = planned(server_of(model, "PSHARD0"), 4);
    ours.environment["PSHARD_DEVICE"] = PSHARD_SIMGPU_BACKEND;
    ours.environment["PSHARD_PLAN"] = "auto";
    ours.environment["SIMGPU_MEMORY_MIB"] = "3";
    EXPECT_THAT(
        log_as_stock(ours, server_of(model, "none"), talk),
        AllOf(HasSubstr(": the variant of 4 MiB\n"),
              ContainsRegex(
                  "warning: SIM0 refuses the 4.0 MiB that the plan takes, as 3.0 MiB are free"),
              HasSubstr("planned anew for 1.5 MiB"),
              HasSubstr(" are left: planning here")));
}

struct Refusal {
    std::string name;
    Environment environment;
    std::string sentence;

    friend void PrintTo(const Refusal& value, std::ostream* out) { *out << value.name; }
};

class Refusals : public Registry, public testing::WithParamInterface<Refusal> {};

// llama-completion ends with an error and no token.
TEST_P(Refusals, NameTheCause) {
    ChildProgram program = planned(in_context(completion(add_planned("llama-Q8_0", 4), 8)), 4);
    EXPECT_THAT(log_of(program), HasSubstr("pshard: plan from "));
    for (const auto& [name, value] : GetParam().environment) program.environment[name] = value;
    const ChildResult result = run(program);
    EXPECT_EQ(result.exit_code, 1) << result.text();
    EXPECT_THAT(result.err, HasSubstr(GetParam().sentence));
    const std::size_t at = result.err.find(GetParam().sentence);
    EXPECT_EQ(result.err.find(GetParam().sentence, at + 1), std::string::npos) << result.err;
    // The prompt, which the log's thread may tear as the program ends ("hellolo"), and no token.
    EXPECT_THAT(result.out, MatchesRegex("[helo]*[\n]*"));
    EXPECT_LE(result.out.size(), 12U);
}

// A symbolic link that leads to itself.
std::string circle() {
    static const test::TempFolder folder;
    const std::string link = folder.file("circle");
    std::error_code there;
    fs::create_symlink("circle", link, there);
    return link;
}

std::vector<Refusal> refusals() {
    return {
        {"BudgetBelowThePlans",
         {{"PSHARD_MAX_VRAM_ALLOC", "3"}},
         "its plans need a budget of 4 MiB, 3 are left, and PSHARD_PLAN is off"},
        {"BudgetBelowAForcedPlan",
         {{"PSHARD_MAX_VRAM_ALLOC", "1"}, {"PSHARD_STRATEGY", "0:0"}},
         "more than the budget"},
        {"BudgetThatIsNoNumber",
         {{"PSHARD_MAX_VRAM_ALLOC", "all"}},
         "PSHARD_MAX_VRAM_ALLOC: 'all' is no number of MiB from 0 to 4294967295"},
        {"FingerprintOfNoPlan",
         {{"PSHARD_FINGERPRINT", "0x0000000000000007"}},
         "it holds no plan that PSHARD_FINGERPRINT names, and PSHARD_PLAN is off"},
        {"FingerprintThatIsNone",
         {{"PSHARD_FINGERPRINT", "0x7"}},
         "PSHARD_FINGERPRINT: '0x7' names no plan; give the fingerprint"},
        {"RegistryThatIsNotThere",
         {{"PSHARD_REGISTRY", "/nowhere/registry"}},
         "PSHARD_REGISTRY: there is no file /nowhere/registry; llama-pshard-plan-params --registry "
         "/nowhere/registry with this run's model and flags writes it"},
        {"RegistryInACircle",
         {{"PSHARD_REGISTRY", circle()}},
         "PSHARD_REGISTRY: " + circle() + ": cannot open this file: Too many levels of symbolic"},
        {"RegistryWithANameTooLong",
         {{"PSHARD_REGISTRY", std::string(5000, 'x')}},
         ": cannot open this file: File name too long"},
        {"RegistryThatIsNone",
         {{"PSHARD_REGISTRY", "/etc/passwd"}, {"PSHARD_PLAN", "auto"}},
         "; delete it, or name another (--registry, for a run PSHARD_REGISTRY)"},
        {"ProfileThatIsNone",
         {{"PSHARD_MAX_VRAM_ALLOC", "3"},
          {"PSHARD_PLAN", "auto"},
          {"PSHARD_GPU_PROFILE", "/etc/passwd"}},
         "/etc/passwd:1:"},
        {"DeviceThatRefuses",
         {{"PSHARD_DEVICE", PSHARD_SIMGPU_BACKEND}, {"SIMGPU_MEMORY_MIB", "1"}},
         "refuses"},
        {"DeviceThatIsNotThere",
         {{"PSHARD_DEVICE", "CUDA7"}},
         "PSHARD_DEVICE: there is no device 'CUDA7' (there are: CPU)"},
    };
}

INSTANTIATE_TEST_SUITE_P(Backend, Refusals, ValuesIn(refusals()), test::NamedByParameter());

}  // namespace
}  // namespace pshard::backend_test
