// llama-pshard-plan-params as a program: flags, environment, output and exit codes.
#include <fstream>

#include <nlohmann/json.hpp>

#include "capture/gguf_maker.h"
#include "registry/registry_file.h"
#include "support/testing.h"
#include "tool/run_tool.h"

namespace pshard::test {
namespace {

using nlohmann::json;

class PlanParams : public ToolTest {
protected:
    // The one plan of a run with -o json.
    json plan(std::vector<std::string> arguments) const {
        arguments.insert(arguments.end(), {"-o", "json", "--no-registry"});
        const ToolRun tool = run(arguments);
        EXPECT_EQ(tool.exit_code, 0) << tool.err;
        const json document = json::parse(tool.out, nullptr, false);
        EXPECT_FALSE(document.is_discarded()) << tool.out.substr(0, 500);
        if (document.is_discarded()) return json();
        json plan = document["plans"][0];
        EXPECT_GT(plan["verify_seconds"], 0);
        plan.erase("verify_seconds");  // the one figure that differs from run to run
        return plan;
    }
};

TEST_F(PlanParams, PrintsATableAndWritesTheRegistry) {
    const ToolRun tool = run(planning());
    EXPECT_EQ(tool.exit_code, 0) << tool.err;
    EXPECT_THAT(tool.out, HasSubstr("- budget: 1500.0 MiB (-mva)"));
    EXPECT_THAT(tool.out, HasSubstr("t/s at 2048"));
    const RegistryReading reading = test::value_of(load_registry(registry()));
    EXPECT_TRUE(reading.warnings.empty());
    ASSERT_EQ(reading.registry.sections.size(), 1U);
    const RegistrySection& section = reading.registry.sections[0];
    ASSERT_EQ(section.variants.size(), 1U);
    const RegistryVariant& variant = section.variants[0];
    EXPECT_EQ(variant.budget_mib, 1500U);
    EXPECT_EQ(variant.cache_ubatch, 4096U);  // 0.310 s, where two batches of 2048 take 0.319
    ASSERT_EQ(variant.tiers.size(), 6U);
    for (const RegistryTier& tier : variant.tiers) {
        EXPECT_TRUE(tier.viable) << tier.key.n_tokens;
        EXPECT_LE(tier.vram_mib, 1500.0);
        EXPECT_TRUE(tier.pshard.ops && tier.pshard.steps && tier.pshard.bound_by)
            << tier.key.n_tokens;
    }
}

// The section is found by the published fingerprint of these settings.
TEST_F(PlanParams, SectionHasThePublishedFingerprint) {
    ASSERT_EQ(run(planning({"-t", "6", "-ctk", "q8_0"})).exit_code, 0);
    SectionSettings settings;
    settings.n_ctx = 4096;
    settings.n_threads = 6;
    settings.flash_attention = FlashAttention::On;
    settings.type_k = 8;
    const RegistryReading reading = test::value_of(load_registry(registry()));
    const Hash64 wanted = published_fingerprint(settings, std::filesystem::file_size(model_));
    const auto& sections = reading.registry.sections;
    EXPECT_EQ(std::ranges::count(sections, wanted, &RegistrySection::fingerprint), 1);
}

TEST_F(PlanParams, TakesEveryFlag) {
    // Names of llama.cpp's in each of its spellings; environment and later values come after.
    const json plan = this->plan(
        words("--model model.gguf --ctx_size=4096 -t 8 -tb 8 -fa 1 --cache-type-k q8_0 -ctv q8_0 "
              "-np 2 -kvu --swa-full -b 1024 -ub 512 -fitt 512,512 --max-vram-alloc 1500 "
              "--pshard-tier-max 1024 --for cli --n-outputs 2 --host-memory 64000 --reserve 100 "
              "--device-memory 16000 --device cuda --depth 1000 -sm layer -ngl auto "
              "--kv-offload"));
    EXPECT_EQ(plan["context"]["n_ctx"], 4096);
    EXPECT_EQ(plan["context"]["n_ubatch"], 512);
    EXPECT_EQ(plan["context"]["n_seq_max"], 2);
    EXPECT_EQ(plan["context"]["kv_unified"], true);
    EXPECT_EQ(plan["context"]["swa_full"], true);
    EXPECT_EQ(plan["context"]["type_k"], "q8_0");
    EXPECT_EQ(plan["context"]["type_v"], "q8_0");
    EXPECT_EQ(plan["context"]["output_rows"], 2);
    EXPECT_EQ(plan["budget"]["plan_bytes"], 1400 * kMiB);
    EXPECT_EQ(plan["depth_tokens"], 1000);
    EXPECT_EQ(plan["n_threads"], 8);
}

TEST_F(PlanParams, CountsTheMtpContextInTheBudget) {
    const auto glm = test::value_of(testing_support::sparse_model("GLM-4.5-Air", "Q4_K_M"));
    const json plan = this->plan({"-m", glm, "-c", "4096", "-fa", "on", "-mva", "12000", "--mtp"});
    // One layer of KV: 4096 cells * 8 heads * 128 * 2 bytes, twice; and scratch.
    const std::uint64_t cache = 4096ULL * 8 * 128 * 2 * 2;
    EXPECT_GT(plan["budget"]["draft_bytes"].get<std::uint64_t>(), cache);
    EXPECT_LT(plan["budget"]["plan_bytes"].get<std::uint64_t>(), 12000 * kMiB - cache);

    const ToolRun none = run({"-m", model_, "-c", "4096", "-mva", "1500", "--mtp"});
    EXPECT_EQ(none.exit_code, 1);
    EXPECT_THAT(none.err, HasSubstr("MTP"));
}

TEST_F(PlanParams, EnvironmentGivesDefaultsAndFlagsWin) {
    environment_["LLAMA_ARG_MODEL"] = model_;
    environment_["LLAMA_ARG_CTX_SIZE"] = "8192";
    environment_["LLAMA_ARG_N_PARALLEL"] = "3";
    environment_["LLAMA_ARG_KV_UNIFIED"] = "enabled";
    environment_["LLAMA_ARG_FLASH_ATTN"] = "off";
    environment_["LLAMA_ARG_CACHE_TYPE_K"] = "q8_0";
    environment_["LLAMA_ARG_SWA_FULL"] = "0";
    const json plan = this->plan({"-mva", "1500", "-c", "2048"});
    EXPECT_EQ(plan["context"]["n_ctx"], 2048);
    EXPECT_EQ(plan["context"]["n_seq_max"], 3);
    EXPECT_EQ(plan["context"]["kv_unified"], true);
    EXPECT_EQ(plan["context"]["flash_attention"], false);
    EXPECT_EQ(plan["context"]["type_k"], "q8_0");
    EXPECT_EQ(plan["context"]["swa_full"], false);
    const json without = this->plan({"-mva", "1500", "-c", "2048", "-no-kvu"});
    EXPECT_EQ(without["context"]["kv_unified"], false);
}

TEST_F(PlanParams, ParallelAutoIsWhatTheServerTakes) {
    const json plan = this->plan(planning({"-np", "-1"}));
    EXPECT_EQ(plan["context"]["n_seq_max"], 4);
    EXPECT_EQ(plan["context"]["kv_unified"], true);
}

// 16302 MiB of device memory - 470 of the driver - 1024 to stay free.
TEST_F(PlanParams, BudgetIsDeviceMemoryLessDriverAndFitTarget) {
    const std::vector<std::string> base = {"-m", model_, "-c", "4096"};
    EXPECT_EQ(plan(base)["budget"]["total_bytes"], (16302 - 470 - 1024) * kMiB);
    std::vector<std::string> with = base;
    with.insert(with.end(), {"--device-memory", "4096", "-fitt", "600"});
    EXPECT_EQ(plan(with)["budget"]["total_bytes"], (4096 - 470 - 600) * kMiB);
}

// The pool of tiers above such a short prompt is not weighed, so that all would tie.
TEST_F(PlanParams, ComparesNoUbatchesAboveAShortPrompt) {
    const auto model = test::value_of(testing_support::sparse_model("Llama-3.3-70B", "Q4_K_M"));
    const ToolRun tool = run({"-m", model, "-c", "8192", "-mva", "11500", "-p", "16"});
    EXPECT_EQ(tool.exit_code, 0) << tool.err;
    EXPECT_THAT(tool.out + tool.err, HasSubstr(" s with -ub 512\n"));
    EXPECT_THAT(tool.out + tool.err, ::testing::Not(HasSubstr(" s with -ub 16,")));
}

TEST_F(PlanParams, DraftModelAndProjectorCountAgainstTheBudget) {
    GgufMaker maker;
    maker.begin(1, 1).string("general.architecture", "clip");
    maker.tensor("v.patch_embd.weight", 32, 32, 0).data(4096);
    const std::string mmproj = maker.write(folder_ / "mmproj.gguf");
    const json plan =
        this->plan({"-m", model_, "-c", "2048", "-mva", "6000", "-md", model_, "--mmproj", mmproj});
    EXPECT_GT(plan["budget"]["draft_bytes"], 1900 * kMiB);
    EXPECT_EQ(plan["budget"]["mmproj_bytes"], 32 * 32 * 4 + 512 * kMiB);  // and the allowance
    EXPECT_EQ(plan["budget"]["plan_bytes"].get<Bytes>(),
              6000 * kMiB - plan["budget"]["draft_bytes"].get<Bytes>() -
                  plan["budget"]["mmproj_bytes"].get<Bytes>());
}

TEST_F(PlanParams, SavedInventoryPlansTheSame) {
    const std::string saved = folder_ / "model.inventory";
    json from_model = plan(planning({"--save-inventory", saved}));
    json from_file = plan({"--inventory", saved, "-mva", "1500"});
    EXPECT_EQ(from_file["model"]["path"], saved);
    from_file["model"]["path"] = from_model["model"]["path"];
    EXPECT_EQ(from_file, from_model);
    const std::string again = folder_ / "again.inventory";
    plan({"--inventory", saved, "-mva", "1500", "--save-inventory", again});
    EXPECT_EQ(text_in(again), text_in(saved));
    EXPECT_EQ(run({"--inventory", saved, "-mva", "1500", "-c", "2048"}).exit_code, 1);
    EXPECT_EQ(run({"--inventory", saved, "-mva", "1500", "-np", "4"}).exit_code, 1);
}

TEST_F(PlanParams, SavedInventoryWithoutModelSaysThatNoRegistryIsWritten) {
    const std::string saved = folder_ / "model.inventory";
    ASSERT_EQ(run(planning({"--save-inventory", saved, "--no-registry"})).exit_code, 0);
    const std::vector<std::string> base = {"--inventory", saved, "-mva", "1500"};
    EXPECT_THAT(run(base).out, HasSubstr("note: no registry is written, since no model is named"));
    std::vector<std::string> with = base;
    with.emplace_back("--no-registry");
    EXPECT_THAT(run(with).out, Not(HasSubstr("no registry is written")));
}

TEST_F(PlanParams, ForcedStrategyIsTheOnlyOne) {
    environment_["PSHARD_STRATEGY"] = "STATIC_ATTNPRIO_ALLMODELS";
    const json by_name = plan(planning());
    for (const json& tier : by_name["tiers"]) {
        EXPECT_EQ(tier["plan"]["choice"]["strategy"], "STATIC_ATTNPRIO_ALLMODELS");
    }
    environment_["PSHARD_STRATEGY"] = "3";
    EXPECT_EQ(plan(planning()), by_name);
    environment_["PSHARD_STRATEGY"] = "FASTEST";
    const ToolRun tool = run(planning());
    EXPECT_EQ(tool.exit_code, 1);
    EXPECT_THAT(tool.err, HasSubstr("GPUONLY_LAYERPIN_LAYERSTREAM (0)"));
}

TEST_F(PlanParams, VerifiesRivalsWhereItIsAsked) {
    const json believed = plan(planning());
    environment_["PSHARD_CHECK"] = "1";
    EXPECT_EQ(plan(planning()), believed);
    environment_["PSHARD_CHECK"] = "all";
    const ToolRun tool = run(planning());
    EXPECT_EQ(tool.exit_code, 1);
    EXPECT_THAT(tool.err, HasSubstr("PSHARD_CHECK=all"));
}

// llama-bench keeps -p 512 and -n 128 beside -pg: 512 + 1024, 128 + 1024, 2048 + 200 + 1024
// tokens, and no tier above the prompt.
TEST_F(PlanParams, BenchPlanTakesTheContextsOfLlamaBench) {
    const std::vector<std::string> pairs = {
        "-m", model_, "-mva", "1500", "--bench-plan", "-pg", "2048,200", "-d", "1024"};
    const auto plans_with = [&](std::vector<std::string> more) {
        more.insert(more.begin(), pairs.begin(), pairs.end());
        more.insert(more.end(), {"-o", "json", "--no-registry"});
        const ToolRun tool = run(more);
        EXPECT_EQ(tool.exit_code, 0) << tool.err;
        return json::parse(tool.out)["plans"];
    };
    const json plans = plans_with({});
    ASSERT_EQ(plans.size(), 3U);
    EXPECT_EQ(plans[0]["context"]["n_ctx"], 1536);
    EXPECT_EQ(plans[0]["context"]["n_ubatch"], 512);
    EXPECT_EQ(plans[1]["context"]["n_ctx"], 1152);
    EXPECT_EQ(plans[1]["context"]["n_ubatch"], 16);
    EXPECT_EQ(plans[2]["context"]["n_ctx"], 3272);
    EXPECT_EQ(plans[2]["context"]["n_ubatch"], 2048);
    EXPECT_EQ(plans[2]["context"]["flash_attention"], true);  // auto, as llama-bench
    const json only_pair = plans_with({"-p", "0", "-n", "0"});
    ASSERT_EQ(only_pair.size(), 1U);
    EXPECT_EQ(only_pair[0]["context"]["n_ctx"], 3272);
}

// What is advised is what the plan is for, and the smaller ubatches that were compared are served,
// too: their caches are those of a plan for that ubatch.
TEST_F(PlanParams, UbatchThatIsAdvisedServesWithSlidingWindows) {
    const auto model = testing_support::sparse_model("gpt-oss-20b", "MXFP4");
    ASSERT_TRUE(model.ok());
    const auto planned = [&](std::vector<std::string> more) {
        more.insert(more.end(),
                    {"-m", model.value(), "-c", "32768", "-mva", "4000", "--registry", "plans"});
        const ToolRun tool = run(more);
        EXPECT_EQ(tool.exit_code, 0) << tool.err;
        const Result<RegistryReading> reading = load_registry(folder_ / "plans");
        EXPECT_TRUE(reading.ok());
        return std::pair(tool.out, reading.value().registry.sections.back().variants.back().pshard);
    };
    const auto [advice, plan] = planned({});
    EXPECT_THAT(advice, HasSubstr("the cache of this model grows with -ub: 4096 prompt and 128"));
    EXPECT_THAT(advice, HasSubstr(fmt::format(" t/s: -ub {}.\n", plan.n_ubatch.value_or(0))));
    EXPECT_EQ(plan.asked_ubatch, 16384U);
    for (const char* n_ubatch : {"512", "2048"}) {
        const auto [text, smaller] = planned({"-ub", n_ubatch});
        EXPECT_EQ(smaller.n_ubatch, std::stoul(n_ubatch));
        EXPECT_THAT(plan.smaller_states.value_or(""), HasSubstr(to_text(*smaller.states)));
    }
}

// The prompt of llama-bench is 4096 tokens, however small the ubatch that is weighed.
TEST_F(PlanParams, UbatchOfLlamaBenchIsWeighedOnItsWholePrompt) {
    const auto model = testing_support::sparse_model("gpt-oss-20b", "MXFP4");
    ASSERT_TRUE(model.ok());
    const ToolRun tool = run({"-m",
                              model.value(),
                              "--bench-plan",
                              "-p",
                              "4096",
                              "-mva",
                              "4000",
                              "--host-memory",
                              "30000",
                              "--no-registry"});
    EXPECT_THAT(tool.out, HasSubstr(": 4112 prompt and 256 answer tokens take "));
    EXPECT_THAT(tool.out, HasSubstr(" t/s: -ub 4096.\n"));
}

// The plan with 512 tokens is taken back, as they do not fit; that of the smaller cache tells it.
TEST_F(PlanParams, TellsOfTiersThatDoNotFitWithSlidingWindows) {
    const auto model = testing_support::sparse_model("gpt-oss-20b", "MXFP4");
    ASSERT_TRUE(model.ok());
    const ToolRun tool = run({"-m",
                              model.value(),
                              "-c",
                              "131072",
                              "-mva",
                              "4000",
                              "--host-memory",
                              "11000",
                              "--no-registry"});
    EXPECT_THAT(tool.out, HasSubstr("note: batches of 512 tokens have no plan: at least "));
    EXPECT_THAT(tool.out, HasSubstr("\nBatches of 512 tokens"));
    EXPECT_THAT(tool.out, HasSubstr(" have no plan: they do not fit.\n"));
}

TEST_F(PlanParams, LargestTierIsBoundedByBatchAndUbatch) {
    const auto largest = [&](const char* flags) {
        std::vector<std::string> all = planning(words(flags));
        environment_.erase("PSHARD_CPU_PROFILE");  // ranked by memory: none is dominated
        return this->plan(all)["context"]["n_ubatch"].get<int>();
    };
    EXPECT_EQ(largest(""), 4096);
    EXPECT_EQ(largest("-b 1024"), 1024);
    EXPECT_EQ(largest("-ub 600"), 600);
    EXPECT_EQ(largest("-ub 2048 -b 1024"), 1024);
    EXPECT_EQ(largest("-ub 2048 --pshard-tier-max 512"), 2048);
    EXPECT_EQ(largest("-b 1024 --pshard-tier-max 512"), 512);
}

TEST_F(PlanParams, WithoutProfilesRanksByMemory) {
    environment_.erase("PSHARD_CPU_PROFILE");
    environment_.erase("PSHARD_GPU_PROFILE");
    const ToolRun tool = run(planning());
    EXPECT_EQ(tool.exit_code, 0);
    EXPECT_THAT(tool.out, HasSubstr("for an assumed machine"));
    EXPECT_THAT(tool.out, HasSubstr("| STATIC_ATTNPRIO"));
    const ToolRun unknown = run({"-m", model_, "-c", "4096"});
    EXPECT_EQ(unknown.exit_code, 2);
    EXPECT_THAT(unknown.err, HasSubstr("no device and no profile"));
}

// The GPU profile knows the link: what is missing of the CPU is measured in two seconds.
TEST_F(PlanParams, MeasuresTheCpuWhereOnlyTheGpuHasAProfile) {
    environment_.erase("PSHARD_CPU_PROFILE");
    const std::string path = folder_ / "gpu_with_link.txt";
    std::ofstream(path) << text_in(environment_["PSHARD_GPU_PROFILE"])
                        << "# pshard link.standalone_gb_per_s=20.0\n";
    environment_["PSHARD_GPU_PROFILE"] = path;
    const ToolRun tool = run(planning({"-t", "1"}));
    EXPECT_EQ(tool.exit_code, 0) << tool.err;
    EXPECT_THAT(tool.out, HasSubstr("note: no CPU profile: a measurement of two seconds"));
    EXPECT_THAT(tool.out, HasSubstr("t/s at 2048"));
}

TEST_F(PlanParams, RefusesByNameAndWritesNothing) {
    const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
        {{"-sm", "row"}, "-sm row"},
        {{"-sm", "tensor"}, "-sm tensor"},
        {{"-ngl", "10"}, "n_gpu_layers"},
        {{"-ts", "3,1"}, "tensor_split"},
        {{"-ot", "ffn=CPU"}, "tensor_buft_overrides"},
        {{"--cpu-moe"}, "tensor_buft_overrides"},
        {{"--n-cpu-moe", "4"}, "tensor_buft_overrides"},
        {{"-nkvo"}, "KV offload is disabled"},
        {{"--host-memory", "100"}, "MiB of host memory are needed"},
        {{"--reserve", "1500"}, "nothing is left"}};
    for (const auto& [flags, reason] : cases) {
        const ToolRun tool = run(planning(flags));
        EXPECT_EQ(tool.exit_code, 2) << reason;
        EXPECT_THAT(tool.err, HasSubstr(reason));
        EXPECT_FALSE(std::filesystem::exists(registry())) << reason;
    }
    environment_["LLAMA_ARG_N_CPU_MOE"] = "4";
    EXPECT_EQ(run(planning()).exit_code, 2);
}

TEST_F(PlanParams, UnwritableStdoutIsAnErrorThatSaysWhatWasWritten) {
    const auto full = [&](const std::vector<std::string>& arguments) {
        const std::string err = folder_ / "err.txt";
        const int status = std::system(
            fmt::format("({}) >/dev/full 2>{}", command(arguments), shell_word(err)).c_str());
        EXPECT_EQ(WEXITSTATUS(status), 1);
        return text_in(err);
    };
    const std::string without = full(planning({"--no-registry"}));
    EXPECT_THAT(without, HasSubstr("cannot write to stdout: No space left"));
    EXPECT_THAT(without, Not(HasSubstr("the plan was written")));
    EXPECT_THAT(full(planning()), HasSubstr("; the plan was written to " + registry().string()));
    EXPECT_TRUE(std::filesystem::exists(registry()));
}

// As llama.cpp warns: by what each sequence may hold.
TEST_F(PlanParams, NotesAContextBeyondTheTraining) {
    const auto told = [&](std::vector<std::string> context) {
        context.insert(context.end(), {"-m", model_, "-mva", "1500", "--no-registry"});
        return run(context).out;
    };
    EXPECT_THAT(told({"-c", "262144"}),
                HasSubstr("note: sequences of 262144 tokens are longer than the 131072 that the "
                          "model was trained with"));
    EXPECT_THAT(told({"-c", "262144", "-np", "2"}), Not(HasSubstr("was trained with")));
}

// A user alone computes the same pass, whether or not the server has slots for others.
TEST_F(PlanParams, OneOfFourUsersIsAsFastAsASingleUser) {
    environment_["PSHARD_STRATEGY"] = "STATIC_ATTNPRIO_ALLMODELS";
    const std::vector<std::string> base = {"-m", model_, "-fa", "on", "-mva", "900"};
    const auto rate_of = [&](std::vector<std::string> more) {
        more.insert(more.begin(), base.begin(), base.end());
        more.insert(more.end(), {"--depth", "500"});
        return plan(more)["tiers"][0]["plan"]["prediction"]["tokens_per_second"].get<double>();
    };
    const double alone = rate_of({"-c", "1024"});
    const double shared = rate_of({"-c", "4096", "-np", "4"});
    EXPECT_GT(shared, 0.7 * alone) << "the larger cache takes some room of the weights";
    EXPECT_LE(shared, alone);
}

using RegistryWriting = ToolTest;

// The variant of another budget ends in its second tier.
TEST_F(RegistryWriting, NamesWhatItKeepsOfADamagedRegistry) {
    ASSERT_EQ(run(planning()).exit_code, 0);
    const std::string whole = text_in(registry());
    const std::string cut = whole.substr(0, whole.find("strategy=", whole.find("[tier 1")) + 30);
    std::ofstream(registry()) << cut;
    const ToolRun tool = run({"-m", model_, "-c", "4096", "-fa", "on", "-mva", "1800"});
    EXPECT_EQ(tool.exit_code, 0);
    EXPECT_THAT(tool.err, HasSubstr("warning: " + registry().string() + ":7:1: expected tiers up"));
    EXPECT_THAT(tool.err, HasSubstr("; it is kept as it is"));
    EXPECT_TRUE(text_in(registry()).starts_with(cut + "\n"));
}

// Another process holds the lock until the planner has said that it waits, at most 20 s.
TEST_F(RegistryWriting, SaysWhatItWaitsFor) {
    const std::string lock = registry().string() + ".pshard-tmp";
    const std::string said = shell_word(folder_ / "err");
    const std::string until_said =
        fmt::format("for i in $(seq 200); do grep -q waiting {} && break; sleep 0.1; done", said);
    const std::string hold =
        fmt::format("flock {} bash -c {} & sleep 0.2; ({}) 2>{} >/dev/null; wait",
                    shell_word(lock),
                    shell_word(until_said),
                    command(planning()),
                    said);
    ASSERT_EQ(std::system(fmt::format("bash -c {}", shell_word(hold)).c_str()), 0);
    EXPECT_THAT(text_in(folder_ / "err"),
                HasSubstr("waiting to write " + registry().string() + ", which another process"));
    EXPECT_TRUE(std::filesystem::exists(registry()));
}

}  // namespace
}  // namespace pshard::test
