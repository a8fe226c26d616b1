// Each flag of each program that takes a number: what is none is refused in one sentence that
// begins with the flag as it was typed, and nothing is read or written. The flags are those of
// --help, so that a new one is tested, too.
#include "build_paths.h"
#include "support/sanitizer.h"
#include "support/testing.h"
#include "tool/run_tool.h"

namespace pshard::test {
namespace {

class Numbers : public ToolTest {
protected:
    // All names of the flags whose value is one of `kinds`, by --help:
    //     "    -c, --ctx-size N"  ->  -c, --ctx-size
    std::vector<std::string> flags_of(const std::set<std::string>& kinds) const {
        std::vector<std::string> flags;
        std::istringstream help(run({"--help"}).out);
        for (std::string line; std::getline(help, line);) {
            if (!line.starts_with("    -")) continue;
            std::vector<std::string> terms = words(line);
            const std::string kind = terms.back();
            terms.pop_back();
            if (!kinds.contains(kind)) continue;
            for (const std::string& term : terms) flags.push_back(term.substr(0, term.find(',')));
        }
        return flags;
    }

    // llama-pshard-run wants a program, which does not run.
    ToolRun with(std::vector<std::string> arguments) const {
        if (tool_ == PSHARD_TOOL_PATH_RUN) {
            arguments.insert(arguments.end(), {"--", "llama-server"});
        }
        return run(arguments);
    }

    // Says one sentence, with the value behind the flag, and with it in the flag's word.
    void refuses(const std::string& flag, const std::string& what, std::size_t which) const {
        static constexpr std::array kValues = {"abc", "-2", "", "1e30", "99999999999999999999"};
        const std::size_t n_values = what == "number of seconds" ? 3 : kValues.size();
        const std::string value = kValues.at(which % n_values);
        const std::string name = std::filesystem::path(tool_).filename();
        const std::string start = fmt::format("{}: {}: '{}' is no {}", name, flag, value, what);
        const bool one_word = flag.starts_with("--") && which % 2 == 0;
        const ToolRun tool = one_word ? with({flag + "=" + value}) : with({flag, value});
        EXPECT_EQ(tool.exit_code, 1) << start;
        EXPECT_THAT(tool.err, StartsWith(start));
        EXPECT_EQ(std::count(tool.err.begin(), tool.err.end(), '\n'), 1) << tool.err;
    }
};

TEST_F(Numbers, ArePlainOrOneSentenceNamesTheFlag) {
    const std::map<const char*, std::size_t> n_flags = {{PSHARD_TOOL_PATH_PLAN_PARAMS, 25},
                                                        {PSHARD_TOOL_PATH_EXPLAIN, 20},
                                                        {PSHARD_TOOL_PATH_RUN, 20},
                                                        {PSHARD_TOOL_PATH_PROFILER_CPU, 3},
                                                        {PSHARD_TOOL_PATH_PROFILER_GPU, 1},
                                                        {PSHARD_TOOL_PATH_MAKE_MODEL, 12}};
    for (const auto& [tool, n_least] : n_flags) {
        tool_ = tool;
        std::size_t n = 0;
        for (const std::string& flag : flags_of({"N", "MiB", "LIST", "SECONDS"})) {
            const bool seconds = flag == "--time-limit";
            const bool list = flag == "-p" || flag == "-n" || flag == "-d" || flag == "-pg" ||
                              flag == "--n-prompt" || flag == "--n-gen" || flag == "--n-depth";
            const std::string what = seconds ? "number of seconds"
                                     : list  ? "list of"
                                             : "whole number from";
            for (const std::size_t which : {n, n + 1}) refuses(flag, what, which);
            n++;
        }
        EXPECT_GE(n, n_least) << tool;
    }
}

TEST_F(Numbers, OfAVariableNameTheVariable) {
    environment_["LLAMA_ARG_CTX_SIZE"] = "many";
    EXPECT_THAT(run({"-m", model_}).err, HasSubstr(": LLAMA_ARG_CTX_SIZE: 'many' is no whole"));
    environment_["LLAMA_ARG_CTX_SIZE"] = "4096";
    EXPECT_THAT(run({"-m", model_, "-c", "more"}).err, HasSubstr(": -c: 'more' is no whole"));
}

TEST_F(Numbers, OfAFlagThatIsGivenTwiceNameTheOneThatIsWrong) {
    EXPECT_THAT(run({"-m", model_, "-c", "many", "--ctx_size", "512"}).err,
                HasSubstr(": -c: 'many' is no whole"));
    EXPECT_THAT(run({"-m", model_, "-c", "512", "--ctx_size=many"}).err,
                HasSubstr(": --ctx_size: 'many' is no whole"));
}

TEST_F(Numbers, ThatAreMissingNameTheFlag) {
    EXPECT_THAT(run({"-m", model_, "-mva"}).err, HasSubstr(": -mva: a value is missing\n"));
    EXPECT_THAT(run({"-m", model_, "--mtp=never"}).err, HasSubstr(": --mtp: this flag takes no"));
    EXPECT_THAT(run({"-m", model_, "-mg", "1"}).err, HasSubstr("unknown argument '-mg 1'"));
}

// 4096 stacks of 8 MiB are 32 GiB. A sanitizer's own memory would be above the limit.
TEST_F(Numbers, OfThreadsThatDoNotStartAreRefused) {
    PSHARD_NO_SANITIZER();  // it reserves terabytes
    tool_ = PSHARD_TOOL_PATH_PROFILER_CPU;
    const auto limited = [&](const std::string& mib, const std::string& threads) {
        const std::vector<std::string> flags = {"--batch", "1", "--time-limit", "1", "-t", threads};
        return run_shell(fmt::format("ulimit -v {}000; {}", mib, command(flags)), folder_);
    };
    const ToolRun many = limited("2000", "4096");
    EXPECT_EQ(many.exit_code, 1);
    EXPECT_THAT(many.err,
                HasSubstr(": the system does not start 4096 threads at once: measure with fewer "
                          "(-t)\n"));
    const ToolRun small = limited("500", "2");
    EXPECT_EQ(small.exit_code, 1);
    EXPECT_THAT(small.err, HasSubstr("512 MiB that the memory's rate is measured with are not"));
    EXPECT_FALSE(std::filesystem::exists(folder_ / "cpu_profile.txt"));
}

}  // namespace
}  // namespace pshard::test
