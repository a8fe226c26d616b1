// --emit-args: the flags survive sh and xargs, and llama.cpp places with them what we said.
#include <cstdio>
#include <regex>

#include <nlohmann/json.hpp>

#include "build_paths.h"
#include "support/testing.h"
#include "tool/run_tool.h"

namespace pshard::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing_support::sparse_model;

struct EmitCase {
    const char* shape;
    const char* quant;
    int budget_mib;
};

void PrintTo(const EmitCase& one, std::ostream* out) {
    *out << one.shape << ' ' << one.quant << ' ' << one.budget_mib << " MiB";
}

class EmitArgs : public ToolTest, public testing::WithParamInterface<EmitCase> {
protected:
    static std::vector<std::string> lines_of(const std::string& command) {
        std::vector<std::string> lines;
        FILE* pipe = popen(command.c_str(), "r");
        std::string text;
        for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) {
            text += char(c);
        }
        EXPECT_EQ(pclose(pipe), 0);
        std::istringstream stream(text);
        for (std::string line; std::getline(stream, line);) lines.push_back(line);
        return lines;
    }

    // What llama.cpp gets of the flags.
    static std::string value_of(const std::vector<std::string>& words, const std::string& flag) {
        const auto found = std::find(words.begin(), words.end(), flag);
        return found == words.end() || found + 1 == words.end() ? "" : *(found + 1);
    }

    // As llama.cpp's parse_tensor_buffer_overrides splits them: at commas, then at the last '='.
    static std::vector<std::string> patterns_of(const std::string& overrides) {
        std::vector<std::string> patterns;
        std::istringstream stream(overrides);
        for (std::string item; std::getline(stream, item, ',');) {
            EXPECT_TRUE(item.ends_with("=CPU")) << item;
            patterns.push_back(item.substr(0, item.size() - 4));
        }
        return patterns;
    }

    // "weights 5199.7, KV and state 2016.0" of the log.
    static double mib_after(const std::string& text, const std::string& label) {
        const std::size_t at = text.find(label);
        EXPECT_NE(at, std::string::npos) << text;
        return at == std::string::npos ? 0 : std::atof(text.c_str() + at + label.size());
    }
};

TEST_P(EmitArgs, SurviveShellAndXargsAndPlaceWhatWasSaid) {
    const auto model = sparse_model(GetParam().shape, GetParam().quant);
    ASSERT_TRUE(model.ok());
    const std::vector<std::string> arguments = words(fmt::format(
        "-m {} -c 4096 -fa on -mva {} --emit-args", model.value().string(), GetParam().budget_mib));
    const ToolRun tool = run(arguments);
    ASSERT_EQ(tool.exit_code, 0) << tool.err;
    EXPECT_EQ(std::count(tool.out.begin(), tool.out.end(), '\n'), 1);

    const std::string command_line = "(" + command(arguments) + ") 2>/dev/null";
    const std::vector<std::string> by_xargs = lines_of(command_line + " | xargs printf '%s\\n'");
    const std::vector<std::string> by_shell = lines_of("printf '%s\\n' $( " + command_line + ")");
    const std::vector<std::string> pasted = lines_of("printf '%s\\n' " + tool.out);
    EXPECT_EQ(by_xargs, by_shell);
    EXPECT_EQ(by_xargs, pasted);
    EXPECT_EQ(value_of(by_xargs, "-fit"), "off");

    ContextSpec context;
    context.n_ctx = 4096;
    context.n_ubatch = std::uint32_t(std::stoul(value_of(by_xargs, "-ub")));
    context.n_batch = context.n_ubatch;
    context.flash_attention = FlashAttention::On;
    const bool offloads = std::ranges::count(by_xargs, "--no-op-offload") == 0;
    const StockMemory placed =
        test::value_of(pshard::stock_memory({.model_path = model.value(),
                                             .context = context,
                                             .n_gpu_layers = std::stoi(value_of(by_xargs, "-ngl")),
                                             .cpu_patterns = patterns_of(value_of(by_xargs, "-ot")),
                                             .op_offload = offloads,
                                             .backend_dir = PSHARD_LLAMA_BIN_DIR}));
    EXPECT_NEAR(in_mib(placed.model), mib_after(tool.err, "weights "), 0.051);
    EXPECT_NEAR(in_mib(placed.context), mib_after(tool.err, "KV and state "), 0.051);
    EXPECT_NEAR(in_mib(placed.compute), mib_after(tool.err, "scratch "), 0.051);
    EXPECT_LE(in_mib(placed.total()), GetParam().budget_mib);
}

class EmitArgsFlags : public ToolTest {};

// What drafts takes less in a smaller ubatch: stock is not held to the largest, where the draft
// model alone takes more than the budget.
TEST_F(EmitArgsFlags, StartWhatDraftsAndLeaveItRoomInTheirUbatch) {
    const ToolRun tool = run(
        {"-m", model_, "-c", "16384", "-mva", "6000", "-md", model_, "-fa", "on", "--emit-args"});
    ASSERT_EQ(tool.exit_code, 0) << tool.err;
    const std::string words = " -md " + model_.string() + " -ngld all -ctkd f16 -ctvd f16 ";
    EXPECT_NE(tool.out.find(words + "--spec-type draft-simple\n"), std::string::npos) << tool.out;
}

// What a terminal cannot show is written so that a shell reads the name of the file from it.
TEST_F(EmitArgsFlags, NameAFileThatCannotBeShown) {
    const std::string draft = folder_ / "it's\t\xe9.gguf";
    std::filesystem::create_symlink(model_, draft);
    const ToolRun tool = run(
        {"-m", model_, "-c", "16384", "-mva", "6000", "-md", draft, "-fa", "on", "--emit-args"});
    ASSERT_EQ(tool.exit_code, 0) << tool.err;
    EXPECT_THAT(tool.out,
                HasSubstr(" -md $'" + folder_.string() + "/it\\'s\\x09\\xe9.gguf' -ngld all "));
}

// The scratch of op-offload is more than the budget; without it nothing is on the GPU.
TEST_F(EmitArgsFlags, TinyBudgetTurnsOpOffloadOff) {
    const ToolRun tool =
        run({"-m", model_, "-c", "4096", "-fa", "on", "-mva", "20", "--emit-args"});
    EXPECT_EQ(tool.exit_code, 0) << tool.err;
    EXPECT_THAT(tool.out, HasSubstr("--no-op-offload"));
}

// No GPU backend has the kernel of Mistral 4's down projections, and ggml-cuda none for TQ2_0. With
// all the memory of the world stock is not as good: it would copy the projections in every pass.
TEST_F(EmitArgsFlags, LeaveTheCpuWhatTheDeviceLacks) {
    const std::string model = sparse_model("tiny-mistral4", "Q4_K_M").value();
    const std::vector<std::string> asked{"-m", model, "-c", "4096", "-mva", "4000"};
    const ToolRun plan = run(asked);
    EXPECT_EQ(plan.exit_code, 0) << plan.err;
    EXPECT_THAT(plan.out,
                AllOf(HasSubstr("cannot compute with 4 weights"),
                      HasSubstr("blk.0.ffn_down_exps.weight the first"),
                      Not(HasSubstr("nothing to add"))));
    std::vector<std::string> flags = asked;
    flags.push_back("--emit-args");
    EXPECT_THAT(run(flags).out, HasSubstr(" -ot ^blk[.][0-3][.]ffn_down_exps[.]weight$=CPU "));
    flags[1] = sparse_model("Qwen3-8B", "TQ2_0").value();
    EXPECT_THAT(run(flags).out, Not(HasSubstr(" -ot "))) << "llama.cpp leaves them by itself";
}

// ggml-cuda has no attention over caches of iq4_nl: they stay with the CPU, stock would copy them
// back in every pass, and its loader has no flag for them alone.
TEST_F(EmitArgsFlags, LeaveTheCpuACacheThatTheDeviceCannotRead) {
    const std::string model = sparse_model("tiny-llama", "Q4_K_M").value();
    std::vector<std::string> asked{
        "-m", model, "-c", "4096", "-mva", "4000", "-fa", "on", "--depth", "64", "-o", "json"};
    asked.insert(asked.end(), {"-ctk", "iq4_nl", "-ctv", "iq4_nl"});
    const ToolRun tool = run(asked);
    EXPECT_EQ(tool.exit_code, 0) << tool.err;
    EXPECT_THAT(tool.out, HasSubstr("no kernel for attention over this cache"));
    const auto plan = nlohmann::json::parse(tool.out, nullptr, false)["plans"][0];
    ASSERT_FALSE(plan["tiers"].empty()) << "stock is said to hold it";
    for (const auto& tier : plan["tiers"])
        EXPECT_EQ(tier["plan"]["memory"]["device_parts"]["states"], 0);
}

// As given, and no ubatch above it.
TEST_F(EmitArgsFlags, KeepTheBatchSize) {
    const auto flags = [&](const char* n_batch) {
        return run(planning({"-b", n_batch, "--emit-args"})).out;
    };
    EXPECT_THAT(flags("600"), HasSubstr(" -b 600 -ub 512 "));
    EXPECT_THAT(flags("100"), HasSubstr(" -b 100 -ub 100 "));
    EXPECT_THAT(flags("8192"), HasSubstr(" -b 8192 -ub "));
}

// Long answers are worth what a long prompt is not.
TEST_F(EmitArgsFlags, WeighPromptAndAnswer) {
    const auto plan = [&](std::vector<std::string> more) {
        more.insert(more.end(), {"--emit-args", "-o", "json"});
        const ToolRun tool = run(planning(more));
        EXPECT_EQ(tool.exit_code, 0) << tool.err;
        return nlohmann::json::parse(tool.out, nullptr, false);
    };
    const auto usual = plan({});
    EXPECT_EQ(usual["schema"], "pshard-static-args");
    EXPECT_EQ(usual["version"], 1);
    EXPECT_EQ(usual["prompt_tokens"], 2048);
    EXPECT_EQ(usual["answer_tokens"], 128);
    const auto prompts = plan({"-p", "4096", "-n", "1"});
    const auto answers = plan({"-p", "1", "-n", "4000"});
    EXPECT_EQ(answers["answer_tokens"], 4000);
    EXPECT_GE(prompts["prompt_tokens_per_second"], answers["prompt_tokens_per_second"]);
    EXPECT_GE(answers["answer_tokens_per_second"], prompts["answer_tokens_per_second"]);
    EXPECT_NE(prompts["n_ubatch"], answers["n_ubatch"]);
    // seconds = passes of a ubatch + answer passes of one token
    const double ubatch = answers["n_ubatch"];
    EXPECT_NEAR(answers["seconds"].get<double>(),
                ubatch / answers["prompt_tokens_per_second"].get<double>() +
                    4000 / answers["answer_tokens_per_second"].get<double>(),
                1e-6 * answers["seconds"].get<double>());
    EXPECT_EQ(run(planning({"--emit-args", "-p", "1,2"})).exit_code, 1);
    EXPECT_EQ(run(planning({"--emit-args", "-o", "csv"})).exit_code, 1);
    EXPECT_EQ(run(planning({"-p", "5-9"})).exit_code, 1);
}

// All sequences at once: the tier that holds a token of each.
TEST_F(EmitArgsFlags, CountEverySequence) {
    const ToolRun tool = run(planning({"-np", "3", "--emit-args", "-o", "json"}));
    ASSERT_EQ(tool.exit_code, 0) << tool.err;
    const auto plan = nlohmann::json::parse(tool.out);
    EXPECT_EQ(plan["sequences"], 3);
    EXPECT_EQ(plan["prompt_tokens"], 768);  // half of 4096 / 3, which llama.cpp rounds up to 1536
}

INSTANTIATE_TEST_SUITE_P(Models,
                         EmitArgs,
                         Values(EmitCase{"Llama-3.2-3B", "Q4_K_M", 700},
                                EmitCase{"Llama-3.2-3B", "Q4_K_M", 1500},
                                EmitCase{"Llama-3.3-70B", "Q4_K_M", 12000},
                                EmitCase{"Gemma-3-27B", "Q4_K_M", 8000},
                                EmitCase{"Qwen3-30B-A3B", "Q4_K_M", 6000},
                                EmitCase{"gpt-oss-20b", "MXFP4", 5000},
                                EmitCase{"tiny-mistral4", "Q4_K_M", 100},
                                EmitCase{"Qwen3-8B", "TQ2_0", 2000},
                                EmitCase{"Qwen3-Next-80B-A3B", "Q4_K_M", 8000}),
                         [](const auto& one) {
                             return test_name(
                                 fmt::format("{}_{}", one.param.shape, one.param.budget_mib));
                         });

}  // namespace
}  // namespace pshard::test
