// Servers that run by registries of llama-pshard-plan-params, and runs that cannot.
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>

#include "backend/harness/expect.h"
#include "backend/harness/programs.h"
#include "backend/harness/projector.h"
#include "backend/harness/server.h"
#include "build_paths.h"

namespace pshard::backend_test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

const std::vector<std::string> kContext = {
    "-c", "2048", "-np", "4", "-b", "128", "-ub", "32", "-fa", "on"};

// A folder with the model of a row of the grid, and later its registry.
class Models {
public:
    std::string add(const std::string& row) {
        Grid grid(inner_device("cpu"));
        const std::vector<std::string>& files = grid.model_files(model_row(row));
        for (const fs::path file : files) fs::copy_file(file, folder_.file(file.filename()));
        return folder_.file(fs::path(files.front()).filename());
    }

    static std::string registry(const std::string& model) {
        return model + ".tensor_overrides.pshard_registry";
    }

    // Each number of threads has a section of its own.
    void plan_for_threads(const std::string& model, int budget_mib, int n_threads) const {
        std::vector<std::string> context = kContext;
        context.insert(context.end(), {"-t", std::to_string(n_threads)});
        plan(model, budget_mib, context);
    }

    // By memory alone: no profile is found in the folder.
    void plan(const std::string& model,
              int budget_mib,
              const std::vector<std::string>& context = kContext) const {
        ChildProgram program;
        program.command = {PSHARD_TOOL_PATH_PLAN_PARAMS, "-m", model};
        program.command.insert(program.command.end(), context.begin(), context.end());
        program.command.insert(program.command.end(), {"-mva", std::to_string(budget_mib)});
        program.folder = folder_.file("");
        const ChildResult result = run(program);
        ASSERT_TRUE(result.ok()) << result.text();
        ASSERT_TRUE(fs::exists(registry(model)));
    }

private:
    test::TempFolder folder_{};
};

ChildProgram in_context(ChildProgram program) {
    program.command.insert(program.command.end(), kContext.begin(), kContext.end());
    return program;
}

ChildProgram server_of(const std::string& model, const std::string& device) {
    return in_context(llama_program("llama-server", model, device));
}

// By a registry's plan or not at all, the CPU standing in for the GPU.
ChildProgram planned(ChildProgram program, int budget_mib) {
    program.environment.insert({{"GGML_BACKEND_PATH", PSHARD_PLUGIN_PATH},
                                {"PSHARD_DEVICE", "CPU"},
                                {"PSHARD_PLAN", "off"},
                                {"PSHARD_MAX_VRAM_ALLOC", std::to_string(budget_mib)}});
    return program;
}

Talk talk_with(Server& server, Result<Talk> (*talk)(Server&)) {
    const Status ready = server.wait_until_ready();
    EXPECT_TRUE(ready.ok()) << ready.error().text();
    if (!ready) return {};
    const Result<Talk> told = talk(server);
    EXPECT_TRUE(told.ok()) << told.error().text();
    return told ? told.value() : Talk{};
}

// It is read at the first graph; what becomes of it then changes nothing.
TEST(Registry, MayBeChangedAndDeletedUnderAServer) {
    PSHARD_NEEDS_PLUGIN();
    Models models;
    const std::string model = models.add("llama-Q8_0");
    models.plan(model, 4);
    Server stock(server_of(model, "none"));
    Server ours(planned(server_of(model, "PSHARD0"), 4));
    EXPECT_EQ(talk_with(ours, talk), talk_with(stock, talk));
    std::ofstream(Models::registry(model)) << "not a registry\n";
    EXPECT_EQ(talk_with(ours, talk), talk_with(stock, talk));
    fs::remove(Models::registry(model));
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

class PlanOf : public testing::TestWithParam<PlannedRow> {};

// The backend sees the graph and comes to the steps that the planner has priced, or would warn.
TEST_P(PlanOf, IsOfTheStepsOfTheRun) {
    PSHARD_NEEDS_PLUGIN();
    const auto& [row, budget_mib] = GetParam();
    Models models;
    const std::string model = models.add(row);
    models.plan(model, budget_mib, {"-c", "512", "-fa", "on", "--pshard-tier-max", "64"});
    std::ostringstream registry;
    registry << std::ifstream(Models::registry(model)).rdbuf();
    ASSERT_THAT(registry.str(), AllOf(HasSubstr(" ops="), HasSubstr(" steps=")));
    ChildProgram program = planned(completion(model, 4), budget_mib);
    program.command.insert(program.command.end(),
                           {"-c", "512", "-fa", "on", "-b", "64", "-ub", "64"});
    const ChildResult result = run(program);
    EXPECT_TRUE(result.ok()) << result.text();
    EXPECT_THAT(result.err, AllOf(HasSubstr("pshard: plan from "), Not(HasSubstr("warning"))));
}

INSTANTIATE_TEST_SUITE_P(Registry,
                         PlanOf,
                         testing::Values(PlannedRow{"llama-Q8_0", 3},
                                         PlannedRow{"gemma3-Q8_0", 5},
                                         PlannedRow{"qwen3moe-Q8_0", 8},
                                         PlannedRow{"gpt-oss-Q8_0", 8},
                                         PlannedRow{"qwen3next-Q8_0", 16},
                                         PlannedRow{"glm4moe-Q8_0", 8}),
                         [](const auto& row) { return test_name(row.param.model); });

// Two models, two registries, one budget that is their sum.
TEST(Registry, OfADraftModelIsFoundBesideIt) {
    PSHARD_NEEDS_PLUGIN();
    Models models;
    const std::string model = models.add("llama-Q8_0");
    const std::string draft = models.add("llama-F16");
    models.plan(model, 4);
    models.plan(draft, 3);
    const auto drafting = [&](ChildProgram program, const std::string& device) {
        program.command.insert(program.command.end(), {"-md", draft, "-devd", device});
        program.command.insert(program.command.end(), {"--spec-type", "draft-simple"});
        return program;
    };
    Server stock(drafting(server_of(model, "none"), "none"));
    Server ours(planned(drafting(server_of(model, "PSHARD0"), "PSHARD0"), 7));
    EXPECT_EQ(talk_with(ours, drafted_talk), talk_with(stock, drafted_talk));
    EXPECT_EQ(stock.stop().exit_code, 0);
    const ChildResult& end = ours.stop();
    EXPECT_EQ(end.exit_code, 0);
    EXPECT_THAT(end.err,
                AllOf(HasSubstr(fmt::format("{}: the variant of 4 MiB\n", Models::registry(model))),
                      HasSubstr(fmt::format("{}: the variant of 3 MiB\n", Models::registry(draft))),
                      Not(HasSubstr("are there"))));
}

// With the name of the file that llama.cpp is given, though the weights lie in five.
TEST(Registry, OfASplitModelIsFoundBesideItsFirstFile) {
    PSHARD_NEEDS_PLUGIN();
    Models models;
    const std::string model = models.add("llama-Q8_0-in-5");
    models.plan(model, 4);
    for (const char* mode : {"mmap", "none"}) {
        const auto loaded = [&](ChildProgram program) {
            program.command.insert(program.command.end(), {"--load-mode", mode});
            return program;
        };
        Server stock(loaded(server_of(model, "none")));
        Server ours(loaded(planned(server_of(model, "PSHARD0"), 4)));
        EXPECT_EQ(talk_with(ours, talk), talk_with(stock, talk));
        EXPECT_EQ(stock.stop().exit_code, 0);
        EXPECT_EQ(ours.stop().exit_code, 0);
        EXPECT_THAT(ours.stop().err,
                    HasSubstr(Models::registry(model) + ": the variant of 4 MiB\n"));
    }
}

// The context that drafts with the model's own MTP layers comes after the main one's warm-up: both
// run by the plan that left room for it.
TEST(Registry, HoldsWithTheContextOfTheMtpLayers) {
    PSHARD_NEEDS_PLUGIN();
    Models models;
    const std::string model = models.add("glm4moe-Q8_0");
    std::vector<std::string> context = kContext;
    context.emplace_back("--mtp");
    models.plan(model, 20, context);
    const auto drafting = [](ChildProgram program) {
        program.command.insert(program.command.end(), {"--spec-type", "draft-mtp"});
        return program;
    };
    Server stock(drafting(server_of(model, "none")));
    Server ours(drafting(planned(server_of(model, "PSHARD0"), 20)));
    EXPECT_EQ(talk_with(ours, drafted_talk), talk_with(stock, drafted_talk));
    EXPECT_EQ(stock.stop().exit_code, 0);
    const std::string said = ours.stop().err;
    const std::string plan = "pshard: plan from ";
    EXPECT_NE(said.find(plan), said.rfind(plan)) << said;  // once more, with both contexts
    EXPECT_THAT(said, Not(HasSubstr("another context")));
}

// A projector (--mmproj) is in no registry: it has what the model's plan leaves of the budget, or
// else the CPU.
TEST(Registry, OfAModelIsUsedBesideAProjector) {
    PSHARD_NEEDS_PLUGIN();
    Models models;
    const std::string model = models.add("llama-Q8_0");
    models.plan(model, 4);
    const std::string projector = model + ".mmproj.gguf";
    write_random_projector(projector, "llama");
    const auto seeing = [&](ChildProgram program) {
        program.command.insert(program.command.end(), {"--mmproj", projector});
        return program;
    };
    Server stock(seeing(server_of(model, "none")));
    const Talk expected = talk_with(stock, seeing_talk);
    EXPECT_EQ(stock.stop().exit_code, 0);
    for (const auto& [budget, place] : {std::pair{4, "the CPU"}, std::pair{5, "the GPU"}}) {
        Server ours(seeing(planned(server_of(model, "PSHARD0"), budget)));
        EXPECT_EQ(talk_with(ours, seeing_talk), expected);
        EXPECT_EQ(ours.stop().exit_code, 0);
        EXPECT_THAT(
            ours.stop().err,
            AllOf(HasSubstr(": the variant of 4 MiB\n"),
                  HasSubstr("the projector (--mmproj): planning here"),
                  HasSubstr(fmt::format("it has the {} MiB that are left", budget - 4)),
                  ContainsRegex(fmt::format("plan up to 64 tokens: .* head on {}", place))));
    }
}

// A server without a plan answers no request, and says why.
TEST(Registry, WithoutAMatchAServerRefusesRequests) {
    PSHARD_NEEDS_PLUGIN();
    Models models;
    Server server(planned(server_of(models.add("llama-Q8_0"), "PSHARD0"), 4));
    ASSERT_TRUE(server.wait_until_ready().ok());
    const Result<Talk> told = talk(server);
    ASSERT_FALSE(told.ok());
    EXPECT_THAT(told.error().text(), HasSubstr("500"));
    EXPECT_THAT(server.stop().err, HasSubstr("no registry lies beside the model, and PSHARD_PLAN"));
}

// As a copy that was broken off.
TEST(Registry, OfWhichTheEndIsMissingIsNotUsed) {
    PSHARD_NEEDS_PLUGIN();
    Models models;
    const std::string model = models.add("llama-Q8_0");
    models.plan(model, 4);
    const std::string registry = Models::registry(model);
    std::ostringstream whole;
    whole << std::ifstream(registry).rdbuf();
    fs::resize_file(registry, whole.str().rfind("[tier"));
    Server server(planned(server_of(model, "PSHARD0"), 4));
    ASSERT_TRUE(server.wait_until_ready().ok());
    EXPECT_FALSE(talk(server).ok());
    EXPECT_THAT(server.stop().err, HasSubstr("its tiers are damaged, the file was cut off"));
}

// llama-bench makes a context for each test; the first is gone when the second comes.
TEST(Registry, HasThePlansOfContextsThatFollowOneAnother) {
    PSHARD_NEEDS_PLUGIN();
    const std::vector<std::string> tests = {"-p", "512", "-n", "16", "-ub", "32", "-fa", "on"};
    Models models;
    const std::string model = models.add("llama-Q8_0");
    std::vector<std::string> all = tests;
    all.emplace_back("--bench-plan");
    models.plan(model, 4, all);
    ChildProgram program;
    program.command = {PSHARD_LLAMA_BIN_DIR "/llama-bench", "-m", model, "-r", "1", "-t", "1"};
    program.command.insert(program.command.end(), {"-dev", "PSHARD0"});
    program.command.insert(program.command.end(), tests.begin(), tests.end());
    const ChildResult result = run(planned(program, 4));
    EXPECT_TRUE(result.ok()) << result.text();
    EXPECT_THAT(result.out, AllOf(HasSubstr("pp512"), HasSubstr("tg16")));
}

// "0x0123456789abcdef" of the sections, the newest last.
std::vector<std::string> sections_of(const std::string& registry) {
    std::ifstream file(registry);
    std::vector<std::string> found;
    const std::string head = "[fingerprint=";
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with(head)) found.push_back(line.substr(head.size(), 18));
    }
    return found;
}

TEST(Registry, TakesThePlanThatIsNamedOfSeveral) {
    PSHARD_NEEDS_PLUGIN();
    Models models;
    const std::string model = models.add("llama-Q8_0");
    models.plan_for_threads(model, 4, 2);
    models.plan_for_threads(model, 4, 8);
    const std::vector<std::string> sections = sections_of(Models::registry(model));
    ASSERT_EQ(sections.size(), 2U);
    ChildProgram program = planned(in_context(completion(model, 4)), 4);
    const ChildResult any = run(program);
    EXPECT_TRUE(any.ok()) << any.text();
    EXPECT_THAT(any.err,
                AllOf(HasSubstr("pshard: warning: 2 plans for 4 MiB match, " + sections[0]),
                      HasSubstr(" (-t 2), " + sections[1])));
    for (const std::string& section : sections) {
        program.environment["PSHARD_FINGERPRINT"] = section;
        const ChildResult named = run(program);
        EXPECT_TRUE(named.ok()) << named.text();
        EXPECT_THAT(named.err,
                    AllOf(HasSubstr("pshard: plan from "), Not(HasSubstr("pshard: warning"))));
    }
    program.environment["PSHARD_FINGERPRINT"] = "0x0000000000000007";
    program.environment["PSHARD_PLAN"] = "auto";
    const ChildResult none = run(program);
    EXPECT_TRUE(none.ok()) << none.text();
    EXPECT_THAT(none.err,
                HasSubstr("it holds no plan that PSHARD_FINGERPRINT names: planning here"));
}

// The model could lie on the device as a whole.
TEST(Registry, WithAPlanForMuchLessThanThereIsSaysSo) {
    PSHARD_NEEDS_PLUGIN();
    Models models;
    const std::string model = models.add("llama-Q8_0");
    models.plan(model, 4);
    ChildProgram program = planned(in_context(completion(model, 4)), 4);
    for (const char* budget : {"40", "0", ""}) {
        program.environment["PSHARD_MAX_VRAM_ALLOC"] = budget;
        const ChildResult result = run(program);
        EXPECT_TRUE(result.ok()) << result.text();
        const std::string start = "pshard: warning: the plan is for 4 MiB and ";
        EXPECT_THAT(result.err, HasSubstr(start + (*budget == '4' ? "40 are there: " : "")));
        EXPECT_EQ(result.err.find(start), result.err.rfind(start)) << result.err;
    }
}

TEST(Registry, WithoutOneAProfilePlansHere) {
    PSHARD_NEEDS_PLUGIN();
    Models models;
    ChildProgram program = planned(in_context(completion(models.add("llama-Q8_0"), 4)), 4);
    const std::string profiles = PSHARD_SOURCE_DIR "/profiles/reference/";
    program.environment["PSHARD_PLAN"] = "auto";
    program.environment["PSHARD_CPU_PROFILE"] = profiles + "cpu_profile.txt";
    program.environment["PSHARD_GPU_PROFILE"] = profiles + "gpu_profile.txt";
    const ChildResult result = run(program);
    EXPECT_TRUE(result.ok()) << result.text();
    EXPECT_THAT(result.err,
                AllOf(HasSubstr("planning here, by " + profiles), HasSubstr(" t/s expected; ")));
}

struct Refusal {
    std::string name;
    Environment environment;
    std::string sentence;

    friend void PrintTo(const Refusal& value, std::ostream* out) { *out << value.name; }
};

class Refusals : public testing::TestWithParam<Refusal> {};

// llama-completion ends with an error and no token.
TEST_P(Refusals, NameTheCause) {
    PSHARD_NEEDS_PLUGIN();
    Models models;
    const std::string model = models.add("llama-Q8_0");
    models.plan(model, 4);
    ChildProgram program = planned(in_context(completion(model, 8)), 4);
    const ChildResult good = run(program);
    ASSERT_TRUE(good.ok()) << good.text();
    EXPECT_THAT(good.err, HasSubstr("pshard: plan from "));
    for (const auto& [name, value] : GetParam().environment) program.environment[name] = value;
    const ChildResult result = run(program);
    EXPECT_EQ(result.exit_code, 1) << result.text();
    EXPECT_THAT(result.err, HasSubstr(GetParam().sentence));
    const std::size_t at = result.err.find(GetParam().sentence);
    EXPECT_EQ(result.err.find(GetParam().sentence, at + 1), std::string::npos) << result.err;
    // The prompt, which the log's thread may tear as the program ends ("hellolo"), and no token.
    EXPECT_THAT(result.out, testing::MatchesRegex("[helo]*[\n]*"));
    EXPECT_LE(result.out.size(), 12U);
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

INSTANTIATE_TEST_SUITE_P(Backend, Refusals, testing::ValuesIn(refusals()), [](const auto& test) {
    return test.param.name;
});

}  // namespace
}  // namespace pshard::backend_test
