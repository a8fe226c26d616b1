// llama-pshard-run as a program: what it starts, with which flags, and what it refuses.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>

#include "build_paths.h"
#include "planner/registry_match.h"
#include "registry/registry_file.h"
#include "support/testing.h"
#include "tool/run_launcher.h"

namespace pshard::test {
namespace {

using nlohmann::json;

class Run : public LauncherTest {
protected:
    json dry_run(std::vector<std::string> flags, const std::vector<std::string>& command) const {
        flags.insert(flags.end(), {"--dry-run", "-o", "json"});
        const ToolRun tool = run(with(flags, command));
        EXPECT_EQ(tool.exit_code, 0) << tool.err;
        const json document = json::parse(tool.out, nullptr, false);
        EXPECT_FALSE(document.is_discarded()) << tool.out.substr(0, 500);
        return document.is_discarded() ? json() : document;
    }

    // "-c 4096 -b ..." of the command, without the program.
    static std::string flags_of(const json& document) {
        std::string text;
        for (const json& word : document["command"]) text += " " + word.get<std::string>();
        return text + " ";
    }
};

TEST_F(Run, BecomesTheProgramWithAllThatThePlanAssumes) {
    const std::string program = stand_in("llama-completion");
    const ToolRun tool = run(with(planning(), {program, "-p", "it's"}));
    EXPECT_EQ(tool.exit_code, 7) << tool.err;  // the program's own
    EXPECT_THAT(tool.out, HasSubstr("GGML_BACKEND_PATH=" PSHARD_TOOL_DIR "/libggml-pshard.so\n"));
    EXPECT_THAT(tool.out, HasSubstr("PSHARD_MAX_VRAM_ALLOC=1500\n"));
    EXPECT_THAT(tool.out, HasSubstr("PSHARD_REGISTRY=" + registry().string() + "\n"));
    EXPECT_THAT(tool.out, HasSubstr("PSHARD_DEVICE=CPU\n"));
    EXPECT_THAT(tool.out,
                HasSubstr("args -m " + model_.string() +
                          " --device PSHARD0 -ngl all -b 4096 -ub "
                          "4096 -c 4096 -np 1 -t "));
    EXPECT_THAT(tool.out, HasSubstr(" -fa on -ctk f16 -ctv f16 -fit off -p it's\n"));
    EXPECT_TRUE(std::filesystem::exists(registry()));
}

TEST_F(Run, HandsOverInputAndProcess) {
    const std::string program = stand_in("llama-cli");
    const std::string piped = "printf hello | (" + command(with(planning(), {program})) + ") >" +
                              (folder_ / "piped.txt").string() + " 2>/dev/null";
    EXPECT_EQ(WEXITSTATUS(std::system(piped.c_str())), 7);
    EXPECT_THAT(text_in(folder_ / "piped.txt"), HasSubstr("input hello\n"));
    // A shell that execs the tool has the pid that the program tells.
    const std::string own = "sh -c " +
                            shell_word("echo pid $$; " + command(with(planning(), {program}))) +
                            " </dev/null 2>/dev/null | grep '^pid' | sort -u | wc -l >" +
                            (folder_ / "pids.txt").string();
    EXPECT_EQ(std::system(own.c_str()), 0);
    EXPECT_EQ(std::stoi(text_in(folder_ / "pids.txt")), 1);
}

TEST_F(Run, SecondStartTakesThePlanOfTheRegistry) {
    const std::string program = stand_in("llama-server");
    const ToolRun first = run(with(planning({"-np", "2", "-kvu"}), {program, "--port", "0"}));
    EXPECT_THAT(first.err, HasSubstr("planned for 1500 MiB"));
    const std::string written = text_in(registry());
    const ToolRun second = run(with(planning({"-np", "2", "-kvu"}), {program, "--port", "0"}));
    EXPECT_THAT(second.err, HasSubstr("plan of " + registry().string()));
    EXPECT_EQ(text_in(registry()), written);
    const auto args = [](const std::string& out) { return out.substr(out.find("args ")); };
    EXPECT_EQ(args(first.out), args(second.out));
    EXPECT_THAT(args(second.out), HasSubstr(" -np 2 -kvu "));
    EXPECT_THAT(run(with(planning({"-np", "2"}), {program, "--port", "0"})).err,
                HasSubstr("planned for"));  // another cache
    EXPECT_THAT(run(with(planning({"-np", "2", "-kvu", "--replan"}), {program, "--port", "0"})).err,
                HasSubstr("planned for"));
}

// Without a profile the driver is not known to take anything.
TEST_F(Run, LoweredBudgetFindsItsPlanAgain) {
    const std::string program = stand_in("llama-server");
    // 470 MiB are assumed for the driver.
    const std::vector<std::string> flags = planning({"--device-memory", "1870"});
    EXPECT_THAT(run(with(flags, {program, "--port", "0"})).err, HasSubstr("planned for 1400 MiB"));
    const ToolRun second = run(with(flags, {program, "--port", "0"}));
    EXPECT_THAT(second.err, HasSubstr("plan of " + registry().string()));
    EXPECT_THAT(second.err, HasSubstr("note: the budget is lowered to 1400 MiB: -mva 1500"));
}

// As PSHARD_FINGERPRINT names it.
std::string name_of(const RegistrySection& section) {
    const RegistryVariant& newest = section.variants.back();
    return to_text(PlanName{section.fingerprint, newest.cache_ubatch, newest.pshard.weights});
}

// The program's libggml-pshard.so takes the plan that was checked, whatever came to lie beside it.
TEST_F(Run, NamesThePlanThatItHasChecked) {
    const std::string program = stand_in("llama-completion");
    const std::string first = run(with(planning(), {program})).out;
    const RegistryReading written = test::value_of(load_registry(registry()));
    ASSERT_EQ(written.registry.sections.size(), 1U);
    const std::string named = "PSHARD_FINGERPRINT=" + name_of(written.registry.sections[0]) + "\n";
    EXPECT_THAT(first, HasSubstr(named));
    tool_ = PSHARD_TOOL_PATH_PLAN_PARAMS;
    std::vector<std::string> other = planning({"-t", "77"});
    ASSERT_EQ(run(other).exit_code, 0);
    EXPECT_EQ(load_registry(registry()).value().registry.sections.size(), 2U);
    tool_ = PSHARD_TOOL_PATH_RUN;
    environment_["PSHARD_FINGERPRINT"] = "of the user's";
    const ToolRun second = run(with(planning(), {program}));
    EXPECT_THAT(second.err, HasSubstr("plan of "));
    EXPECT_THAT(second.out, HasSubstr(named));
    const json document = dry_run(planning(), {program});
    EXPECT_EQ("PSHARD_FINGERPRINT=" + document["plan"]["fingerprint"].get<std::string>() + "\n",
              named);
}

TEST_F(Run, DryRunPrintsTheCommandAndWritesNothing) {
    const std::string program = stand_in("llama-server");
    const ToolRun tool = run(with(planning({"--dry-run"}), {program, "--alias", "two words"}));
    EXPECT_EQ(tool.exit_code, 0) << tool.err;
    EXPECT_THAT(tool.out, StartsWith(PSHARD_TOOL_PATH_PLAN_PARAMS));
    EXPECT_THAT(tool.out, HasSubstr("\nGGML_BACKEND_PATH=" PSHARD_TOOL_DIR));
    EXPECT_THAT(tool.err, HasSubstr("a dry run writes no registry: the planning command comes"));
    EXPECT_THAT(tool.out, HasSubstr(" -no-kvu "));
    EXPECT_THAT(tool.out, EndsWith(" --alias 'two words'\n"));
    EXPECT_FALSE(std::filesystem::exists(registry()));
    EXPECT_FALSE(std::filesystem::exists(folder_ / ".cache"));
}

// What was printed plans and starts the program as a run does, in any folder; planned once, the
// second line is all that is needed.
TEST_F(Run, DryRunPrintsWhatCanBePasted) {
    const std::string program = stand_in("llama-server");
    const auto dry = [&] {
        return run(with(
                       {"-m", "model.gguf", "-c", "4096", "-fa", "on", "-mva", "1500", "--dry-run"},
                       {program, "--alias", "two words"}))
            .out;
    };
    const std::string lines = dry();
    const std::string pasted = fmt::format(
        "cd / && ({}) </dev/null >{} 2>/dev/null", lines, shell_word(folder_ / "pasted"));
    EXPECT_EQ(WEXITSTATUS(std::system(pasted.c_str())), 7);
    EXPECT_THAT(text_in(folder_ / "pasted"), HasSubstr("--alias two words\n"));
    EXPECT_THAT(text_in(folder_ / "pasted"), HasSubstr("PSHARD_REGISTRY=" + registry().string()));
    ASSERT_TRUE(std::filesystem::exists(registry()));
    EXPECT_EQ(dry(), lines.substr(lines.find('\n') + 1));
}

TEST_F(Run, JsonHasTheDocumentedFields) {
    const json document = dry_run(planning(), {stand_in("llama-cli")});
    EXPECT_EQ(document["schema"], "pshard-run");
    EXPECT_EQ(document["version"], 1);
    EXPECT_EQ(document["program"], "llama-cli");
    EXPECT_EQ(document["environment"]["PSHARD_MAX_VRAM_ALLOC"], "1500");
    EXPECT_EQ(document["plan"]["n_ubatch"], 4096);
    EXPECT_EQ(document["plan"]["stock"], false);
    // Each field has its row in the page.
    const std::string page = text_in(PSHARD_SOURCE_DIR "/docs/cli/llama-pshard-run.md");
    for (const json& part : {document, document["plan"]}) {
        for (const auto& [name, value] : part.items()) {
            EXPECT_THAT(page, HasSubstr("`" + name + "`")) << name;
        }
    }
}

TEST_F(Run, SpellsFlagsAsLlamaBenchDoes) {
    const std::string tests = "-p 512 -n 16 -d 0,1024 -pg 64,8 -r 1";
    const std::string flags = flags_of(dry_run(
        {"-m", model_, "-mva", "1500"}, words(stand_in("llama-bench").string() + " " + tests)));
    EXPECT_THAT(
        flags,
        HasSubstr(" -m " + model_.string() + " --device PSHARD0 -ngl -1 -b 512 -ub 512 -t "));
    EXPECT_THAT(flags, EndsWith(" " + tests + " "));
    for (const char* absent : {" -c ", " -np ", " -kvu ", " -no-kvu ", " -fit ", " --swa-full "}) {
        EXPECT_THAT(flags, Not(HasSubstr(absent)));
    }
}

TEST_F(Run, PlansAllContextsOfLlamaBench) {
    const std::string program = stand_in("llama-bench");
    const ToolRun tool =
        run(with({"-m", model_, "-mva", "1500"}, {program, "-p", "256,512", "-n", "16"}));
    ASSERT_EQ(tool.exit_code, 7);
    const RegistryReading reading = test::value_of(load_registry(registry()));
    std::vector<std::uint32_t> contexts;
    std::string names;
    for (const RegistrySection& section : reading.registry.sections) {
        contexts.push_back(section.settings->n_ctx);
        names += (names.empty() ? "" : ",") + name_of(section);
    }
    EXPECT_THAT(contexts, ElementsAre(256, 512, 16));
    EXPECT_THAT(tool.out, HasSubstr("PSHARD_FINGERPRINT=" + names + "\n"));
}

// One chunk at a time, of the size that the program takes by itself.
TEST_F(Run, KeepsPerplexityToOneSequence) {
    const std::string program = stand_in("llama-perplexity");
    const std::string own = flags_of(dry_run({"-m", model_, "-mva", "1500"}, {program}));
    EXPECT_THAT(own, HasSubstr(" -b 512 -ub 512 -c 512 -np 1 -no-kvu "));
    const std::string large =
        flags_of(dry_run({"-m", model_, "-mva", "1500", "-c", "256", "-b", "2048"}, {program}));
    EXPECT_THAT(large, HasSubstr(" -b 256 -ub 256 -c 256 "));
}

TEST_F(Run, UbatchIsTheLargestTier) {
    const std::string flags = flags_of(
        dry_run(planning({"-ub", "1024", "-b", "2048", "--swa-full"}), {stand_in("llama-cli")}));
    EXPECT_THAT(flags, HasSubstr(" -b 2048 -ub 1024 -c 4096 -np 1 --swa-full -t "));
}

// Another ubatch would be another cache, and the plan for another context. Planned, then as the
// registry has it.
TEST_F(Run, UbatchOfSlidingWindowsIsThePlans) {
    give_profiles();
    const std::string program = stand_in("llama-server");
    const auto ubatch = [&](const char* model) {
        const auto path = testing_support::sparse_model(model, "Q4_K_M");
        EXPECT_TRUE(path.ok());
        const std::vector<std::string> flags = words(fmt::format(
            "-m {} -c 1024 -mva 4000 --registry {}.registry", path.value().string(), model));
        const json anew = dry_run(flags, {program})["plan"];
        run(with(flags, {program}));
        const json kept = dry_run(flags, {program})["plan"];
        EXPECT_THAT(kept["why"], HasSubstr(".registry"));
        EXPECT_EQ(kept["n_ubatch"], anew["n_ubatch"]);
        return anew["n_ubatch"];
    };
    EXPECT_EQ(ubatch("Qwen3-8B"), 512);  // the prompt that is reckoned with
    EXPECT_EQ(ubatch("Gemma-3-27B"), 1024);
}

struct GoalCase {
    const char* goal;
    int n_ubatch;
    int n_seq_max;
};

class RunFor : public Run, public testing::WithParamInterface<GoalCase> {};

TEST_P(RunFor, SetsWhatTheUserDoesNot) {
    const std::string program = stand_in("llama-server");
    const json plan = dry_run(planning({"--for", GetParam().goal}), {program})["plan"];
    EXPECT_EQ(plan["n_ubatch"], GetParam().n_ubatch);
    EXPECT_EQ(plan["n_seq_max"], GetParam().n_seq_max);
    const json own =
        dry_run(planning({"--for", GetParam().goal, "-np", "3", "-ub", "512"}), {program})["plan"];
    EXPECT_EQ(own["n_ubatch"], 512);
    EXPECT_EQ(own["n_seq_max"], 3);
}

INSTANTIATE_TEST_SUITE_P(Goals,
                         RunFor,
                         Values(GoalCase{"chat", 2048, 1},
                                GoalCase{"agent", 4096, 1},
                                GoalCase{"batch", 4096, 8},
                                GoalCase{"bench", 4096, 1}),
                         [](const auto& one) { return std::string(one.param.goal); });

// The depth that plans are ranked at is in the registry.
TEST_F(Run, GoalsRankPlansAtTheirDepth) {
    give_profiles();
    const std::string program = stand_in("llama-server");
    const auto depth_for = [&](const char* goal) {
        std::filesystem::remove(registry());
        run(with(planning({"--for", goal}), {program, "--port", "0"}));
        const Result<RegistryReading> reading = load_registry(registry());
        const auto& sections = reading.value().registry.sections;
        return sections.empty() ? std::optional<std::uint32_t>()
                                : sections[0].variants[0].tiers[0].pshard.depth;
    };
    EXPECT_EQ(depth_for("chat"), 1024U);
    EXPECT_EQ(depth_for("agent"), 3072U);
    EXPECT_EQ(depth_for("bench"), 0U);
    EXPECT_EQ(depth_for("batch"), 128U);
}

TEST_F(Run, WholeModelInTheBudgetIsStocks) {
    const std::string program = stand_in("llama-completion");
    environment_.erase("PSHARD_DEVICE");
    for (int start = 0; start < 2; ++start) {  // planned, then by the registry
        const ToolRun tool = run(with({"-m", model_, "-c", "4096", "-mva", "9000"}, {program}));
        EXPECT_EQ(tool.exit_code, 7);
        EXPECT_THAT(tool.err, HasSubstr("stock llama.cpp alone is as good: the whole model fits"));
        EXPECT_THAT(tool.out, Not(HasSubstr("PSHARD")));
        EXPECT_THAT(tool.out, HasSubstr(" -ngl all -c 4096 -np 1 "));
    }
}

TEST_F(Run, SaysHowThePlanComparesWithStock) {
    give_profiles();
    const ToolRun tool = run(with(planning({"--dry-run"}), {stand_in("llama-completion")}));
    EXPECT_THAT(tool.out,
                HasSubstr(" PSHARD_GPU_PROFILE=" + environment_["PSHARD_GPU_PROFILE"] + " "));
    EXPECT_THAT(tool.err, HasSubstr("2048 prompt and 128 answer tokens take "));
    EXPECT_THAT(tool.err, HasSubstr(" s by the best that stock llama.cpp can do alone"));
}

// Over a link that carries next to nothing no plan streams, and with one tier there is but one
// placement: stock can have that, too.
TEST_F(Run, StartsStockWithTheBestStaticPlan) {
    give_profiles();
    std::string profile = text_in(environment_["PSHARD_CPU_PROFILE"]);
    const std::string rate = "PCIe_Standalone=";
    const std::size_t at = profile.find(rate);
    ASSERT_NE(at, std::string::npos);
    profile.replace(at + rate.size(), profile.find(' ', at) - at - rate.size(), "0.01");
    std::ofstream(folder_ / "slow.txt") << profile;
    environment_["PSHARD_CPU_PROFILE"] = folder_ / "slow.txt";
    for (int start = 0; start < 2; ++start) {
        const ToolRun tool =
            run(with(planning({"-ub", "1"}), {stand_in("llama-completion"), "-p", "x"}));
        EXPECT_EQ(tool.exit_code, 7) << tool.err;
        EXPECT_THAT(tool.err, HasSubstr("stock llama.cpp alone is as good: 2048 prompt and 128"));
        EXPECT_THAT(tool.out, Not(HasSubstr("--device PSHARD0")));
        EXPECT_THAT(tool.out, Not(HasSubstr("GGML_BACKEND_PATH")));
        EXPECT_THAT(tool.out, ContainsRegex("-ngl [0-9]+ .*-b 2048 -ub 1 -c 4096 "));
        EXPECT_THAT(tool.out, Not(HasSubstr("kvu")));  // not a flag of this program's
        EXPECT_FALSE(std::filesystem::exists(registry()));
    }
}

TEST_F(Run, ForgetsVariablesThatItsFlagsSay) {
    environment_["LLAMA_ARG_CTX_SIZE"] = "2048";
    environment_["LLAMA_ARG_N_PREDICT"] = "5";
    const ToolRun tool = run(with({"-m", model_, "-mva", "1500"}, {stand_in("llama-cli")}));
    EXPECT_THAT(tool.out, HasSubstr(" -c 2048 "));
    EXPECT_THAT(tool.out, Not(HasSubstr("LLAMA_ARG_CTX_SIZE")));
    EXPECT_THAT(tool.out, HasSubstr("LLAMA_ARG_N_PREDICT=5"));
}

TEST_F(Run, TakesTheBackendsVariablesAsDefaults) {
    environment_["PSHARD_MAX_VRAM_ALLOC"] = "1400";
    environment_["PSHARD_REGISTRY"] = folder_ / "plans";
    const std::string program = stand_in("llama-cli");
    const ToolRun tool = run(with({"-m", model_, "-c", "4096"}, {program}));
    EXPECT_THAT(tool.out, HasSubstr("PSHARD_MAX_VRAM_ALLOC=1400\n"));
    EXPECT_TRUE(std::filesystem::exists(folder_ / "plans"));
    EXPECT_FALSE(std::filesystem::exists(registry()));
    EXPECT_THAT(run(with({"-m", model_, "-c", "4096"}, {program})).err, HasSubstr("plan of "));
    const ToolRun given = run(with(planning({"--registry", "mine"}), {program}));
    EXPECT_THAT(given.out, HasSubstr("PSHARD_MAX_VRAM_ALLOC=1500\n"));
    EXPECT_THAT(given.out, HasSubstr("PSHARD_REGISTRY=" + (folder_ / "mine").string() + "\n"));
    for (const char* value : {"much", "99999999999"}) {
        environment_["PSHARD_MAX_VRAM_ALLOC"] = value;
        expect_sentence(run(with({"-m", model_}, {program})),
                        fmt::format("'{}' is no number of MiB from 0 to 4294967295", value));
    }
    environment_["PSHARD_MAX_VRAM_ALLOC"] = "0";  // what the device has
    EXPECT_THAT(run(with({"-m", model_}, {program})).err, HasSubstr("refused: no device and no"));
}

TEST_F(Run, GpuBackendOfTheUsersBecomesTheInnerDevice) {
    environment_.erase("PSHARD_DEVICE");
    environment_["GGML_BACKEND_PATH"] = "/opt/libggml-vulkan.so";
    const json document = dry_run(planning(), {stand_in("llama-cli")});
    EXPECT_EQ(document["environment"]["PSHARD_DEVICE"], "/opt/libggml-vulkan.so");
}

TEST_F(Run, RefusesWhatItCannotStart) {
    const auto refused = [&](const std::vector<std::string>& command) {
        return run(with(planning(), command));
    };
    expect_sentence(refused({"llama-foo"}),
                    "'llama-foo' is no program that llama-pshard-run can start");
    expect_sentence(refused({"llama-server"}), "there is no program llama-server in $PATH");
    expect_sentence(refused({"./llama-cli"}), "there is no program ./llama-cli");
    expect_sentence(refused({stand_in("llama-cli", "0.4.1")}),
                    "is of llama.cpp 0.4.1; libggml-pshard.so is built for v" PSHARD_LLAMA_VERSION);
    expect_sentence(refused({stand_in("llama-cli", PSHARD_LLAMA_VERSION "-dev", "")}),
                    "it loads no backends (GGML_BACKEND_PATH)");
    expect_sentence(refused({stand_in("llama-cli"), "-ngl", "5"}), "-ngl stands behind --");
    expect_sentence(refused({stand_in("llama-cli"), "--ctx_size", "5"}),
                    "--ctx_size stands behind --");
    expect_sentence(run(planning()), "no program: name one behind --");
    expect_sentence(run(with({"-m", model_, "-c", "512"}, {stand_in("llama-bench")})),
                    "leave -c out");
    for (const char* flag : {"--mtp", "-md=d.gguf", "--spec-type=ngram-mod"}) {
        expect_sentence(run(with({flag, "-m", model_}, {stand_in("llama-completion")})),
                        "this program does not draft");
    }
    expect_sentence(run(with({"-mm", "p.gguf", "-m", model_}, {stand_in("llama-bench")})),
                    "-mm: this program takes no projector");
    expect_sentence(refused({stand_in("llama-cli"), "--spec-type", "magic"}),
                    "'magic' is no kind of drafting");
    expect_sentence(refused({stand_in("llama-cli"), "-devd", "x"}), "-devd stands behind --");
    expect_sentence(run(with({"--for", "fun"}, {stand_in("llama-cli")})),
                    "--for fun: there are chat, agent, batch and bench");
    EXPECT_FALSE(std::filesystem::exists(registry()));
}

TEST_F(Run, RefusesAPortThatIsTaken) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&name), sizeof(name)), 0);
    ASSERT_EQ(listen(fd, 1), 0);
    socklen_t size = sizeof(name);
    ASSERT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size), 0);
    const std::string port = std::to_string(ntohs(name.sin_port));
    const std::string program = stand_in("llama-server");
    expect_sentence(run(with(planning(), {program, "--port", port})),
                    "port " + port + " of 127.0.0.1 is in use");
    EXPECT_EQ(run(with(planning(), {program, "--port", port, "--reuse-port"})).exit_code, 7);
    close(fd);
    EXPECT_EQ(run(with(planning(), {program, "--port", port})).exit_code, 7);
}

TEST_F(Run, RefusesAPlanOfAnotherMachine) {
    give_profiles();
    const std::string program = stand_in("llama-completion");
    ASSERT_EQ(run(with(planning(), {program})).exit_code, 7);
    // The same machine but for a faster GPU.
    std::string profile = text_in(environment_["PSHARD_GPU_PROFILE"]);
    const std::size_t rate = profile.find("GPU_Memory_BW=");
    ASSERT_NE(rate, std::string::npos);
    profile.insert(rate + 14, "9");
    std::ofstream(folder_ / "other.txt") << profile;
    environment_["PSHARD_GPU_PROFILE"] = folder_ / "other.txt";
    const std::string written = text_in(registry());
    expect_sentence(run(with(planning(), {program})), "was made for another machine");
    EXPECT_EQ(text_in(registry()), written);
    EXPECT_EQ(run(with(planning({"--replan"}), {program})).exit_code, 7);
    EXPECT_EQ(run(with(planning(), {program})).exit_code, 7);
}

TEST_F(Run, PassesThePlannersRefusalOn) {
    const ToolRun tool = run(with({"-m", model_, "-c", "4096"}, {stand_in("llama-cli")}));
    EXPECT_EQ(tool.exit_code, 2);
    EXPECT_THAT(tool.err, HasSubstr("refused: no device and no profile"));
}

TEST_F(Run, PassesOverTheProfileOfAnotherMachine) {
    give_profiles();
    for (const char* side : {"cpu", "gpu"}) {
        const std::string file = fmt::format("{}_profile.txt", side);
        std::filesystem::copy_file(fmt::format("{}/profiles/reference/{}", PSHARD_SOURCE_DIR, file),
                                   folder_ / file);
    }
    environment_.erase("PSHARD_CPU_PROFILE");
    environment_.erase("PSHARD_GPU_PROFILE");
    const ToolRun tool = run(with(planning({"--dry-run"}), {stand_in("llama-cli")}));
    EXPECT_THAT(tool.err, HasSubstr("cpu_profile.txt is of another machine"));
    EXPECT_THAT(tool.err, HasSubstr("no GPU was found to measure"));
}

}  // namespace
}  // namespace pshard::test
