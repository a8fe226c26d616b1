// Reports and the registry's form of a plan, on toy models.
#include "report/report.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "planner/registry_form.h"
#include "registry/registry_text.h"
#include "report/words.h"
#include "support/toy_report.h"

namespace pshard {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

using Reports = test::ToyReport;

TEST_F(Reports, MarkdownHasARowForEachTier) {
    const std::string text = to_markdown(report_);
    EXPECT_THAT(text, HasSubstr("- machine: unnamed CPU; "));
    EXPECT_THAT(text, HasSubstr("| t/s at 2 |"));
    for (const TierPlan& tier : report_.plan.tiers) {
        EXPECT_THAT(text, HasSubstr(strategy_name(tier.winner()->choice.strategy)));
    }
}

// At depth 0 the second column would be the first; at a depth that no batch leaves room behind,
// the third the second.
TEST_F(Reports, MarkdownHasNoColumnTwice) {
    for (const Bytes budget : {500, 1 << 20}) {  // tiers, and stock that holds all
        report_.budget.total = budget;
        report_.depth_tokens = 0;
        search();
        const std::string empty = to_markdown(report_);
        EXPECT_THAT(empty, HasSubstr("| t/s at 0 | t/s full | bound by"));
        EXPECT_THAT(empty, Not(HasSubstr("| t/s at 0 | t/s at 0 |")));
        report_.depth_tokens = 100;
        search();
        EXPECT_THAT(to_markdown(report_), HasSubstr("| t/s at 0 | t/s at 100 | bound by"));
        report_.depth_tokens = 2;
        search();
        EXPECT_THAT(to_markdown(report_), HasSubstr("| t/s at 0 | t/s at 2 | t/s full | bound by"));
    }
}

TEST_F(Reports, MarkdownSaysWhatTheBudgetIsSharedWith) {
    report_.budget.reserve = kMiB;
    EXPECT_THAT(to_markdown(report_), HasSubstr("reserve 1.0"));
}

TEST_F(Reports, TiersWithoutAPlanSayWhy) {
    report_.host.memory = 10;
    search();
    EXPECT_FALSE(is_viable(report_));
    EXPECT_THAT(to_markdown(report_), HasSubstr("not viable"));
    EXPECT_THAT(to_markdown(report_), HasSubstr("more host memory than there is"));
}

TEST_F(Reports, ModelThatFitsShowsStockRates) {
    report_.budget.total = 1 << 20;
    search();
    ASSERT_TRUE(report_.plan.baseline_vram);
    EXPECT_TRUE(is_viable(report_));
    const std::string text = to_markdown(report_);
    EXPECT_THAT(text, HasSubstr("pshard_disabled=1"));
    EXPECT_EQ(report_.stock_rates.size(), report_.inventory.graphs.size());
    EXPECT_THAT(text, HasSubstr("| t/s full |"));
    EXPECT_EQ(explain(report_), "");
    const std::string csv = to_csv({report_});
    EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 1 + 2) << "two tiers";
    EXPECT_FALSE(
        json::parse(to_json({report_}))["plans"][0]["stock_holds_all"]["tiers"][0]["full_cache"]
            .is_null());
}

// 8 cells: the batch of 4 does not fit behind 5 tokens, with a profile or where stock holds all.
TEST_F(Reports, NamesBatchesThatDoNotFitBehindTheDepth) {
    report_.inventory.context.n_ctx = 8;
    report_.depth_tokens = 5;
    search();
    const std::string note = "Batches of 4 tokens do not fit behind 5 others: their rates";
    EXPECT_THAT(to_markdown(report_), HasSubstr(note));
    for (const TierPlan& tier : report_.plan.tiers) {
        EXPECT_EQ(tier.winner()->prediction->depth_tokens, tier.key.n_tokens == 4 ? 4 : 5);
    }
    report_.budget.total = 1 << 20;
    search();
    EXPECT_THAT(to_markdown(report_), HasSubstr(note));
    report_.profile = nullptr;
    EXPECT_THAT(to_markdown(report_), Not(HasSubstr(note)));
}

TEST_F(Reports, SaysWhatEachSequenceHolds) {
    report_.inventory.context.n_ctx = 4096;
    EXPECT_THAT(context_text(report_.inventory), Not(HasSubstr("each of")));
    report_.inventory.context.n_seq_max = 4;
    EXPECT_THAT(context_text(report_.inventory), HasSubstr(", each of at most 1024 tokens"));
    report_.inventory.context.kv_unified = true;
    EXPECT_THAT(context_text(report_.inventory), Not(HasSubstr("each of")));
}

// Rivals that are faster by less than kEqualShare, and stream more.
TEST_F(Reports, ExplainSaysWhereTheFastestIsNotThePlan) {
    TierPlan& tier = report_.plan.tiers[0];
    tier.viable[1].prediction->tokens_per_second =
        tier.viable[0].prediction->tokens_per_second * (1 + 0.5 * kEqualShare);
    EXPECT_THAT(explain(report_), HasSubstr("within 0.1 % of the fastest and streaming the least"));
}

TEST_F(Reports, ExplainTellsWhyEachRivalLost) {
    const std::string text = explain(report_);
    EXPECT_THAT(text, HasSubstr("the fastest of"));
    EXPECT_THAT(text, HasSubstr("stream slots"));
    EXPECT_THAT(text, HasSubstr("### Plan switches, ms"));
    for (const TierPlan& tier : report_.plan.tiers) {
        for (const Candidate* rival : best_rivals(tier)) {
            EXPECT_NE(rival->choice.strategy, tier.winner()->choice.strategy);
            EXPECT_THAT(text, HasSubstr(strategy_name(rival->choice.strategy)));
        }
    }
}

// Stock is no plan of PSHARD0's: what it reaches stands beside the rivals, op-offload and all.
TEST_F(Reports, StockStandsBesideTheRivals) {
    report_.inventory =
        toy_model({.n_layers = 4, .n_embd = 64, .n_ff = 128, .n_cells = 32, .tiers = {32}});
    report_.budget.total =
        all_resident_bytes(report_.inventory, report_.inventory.graphs[0]) * 3 / 4;
    search();
    const std::optional<Candidate> stock =
        stock_fit(problem_of(report_), report_.inventory.graphs[0]);
    ASSERT_TRUE(stock && stock->prediction);
    EXPECT_THAT(explain(report_),
                HasSubstr("llama.cpp's own fit with its op-offload: " +
                          rate_text(stock->prediction) + " t/s, "));
    const json tier = json::parse(to_json({report_}))["plans"][0]["tiers"][0];
    EXPECT_EQ(tier["stock_fit"]["prediction"]["pass_seconds"], stock->prediction->pass_seconds);
    for (const json& rival : tier["rivals"]) {
        EXPECT_NE(rival["prediction"]["pass_seconds"], stock->prediction->pass_seconds);
    }
}

TEST_F(Reports, MarkdownNamesTheBatchThatIsFastest) {
    report_.plan.tiers[0].viable[0].prediction->tokens_per_second = 9000;  // one token: no prompt
    EXPECT_THAT(to_markdown(report_),
                HasSubstr("\nPrompts are reckoned fastest in batches of 4 tokens, "));
    TierPlan larger = report_.plan.tiers[1];
    report_.plan.tiers[1].viable[0].prediction->tokens_per_second = 500;
    larger.viable[0].prediction->tokens_per_second = 50;
    report_.plan.tiers.push_back(larger);
    report_.stock_fits.emplace_back();
    EXPECT_THAT(to_markdown(report_), HasSubstr("batches of 4 tokens, 500 t/s: -ub 4.\n"));
}

TEST_F(Reports, MarkdownNamesBatchesThatStockIsFasterWith) {
    report_.inventory =
        toy_model({.n_layers = 4, .n_embd = 64, .n_ff = 128, .n_cells = 32, .tiers = {32}});
    report_.budget.total =
        all_resident_bytes(report_.inventory, report_.inventory.graphs[0]) * 3 / 4;
    search();
    const double stock =
        stock_fit(problem_of(report_), report_.inventory.graphs[0])->prediction->tokens_per_second;
    double& planned = report_.plan.tiers[0].viable[0].prediction->tokens_per_second;
    planned = 2 * stock;
    EXPECT_THAT(to_markdown(report_), Not(HasSubstr("own fit is reckoned faster")));
    planned = stock / 2;
    EXPECT_THAT(
        to_markdown(report_),
        HasSubstr("\nStock llama.cpp's own fit is reckoned faster with batches of 32 tokens (" +
                  rate_text(stock) + " t/s).\n"));
}

TEST_F(Reports, ExplainWithoutProfileRanksByMemory) {
    report_.profile = nullptr;
    search();
    EXPECT_THAT(to_markdown(report_), Not(HasSubstr("reckoned fastest")));
    EXPECT_THAT(explain(report_), HasSubstr("keeps the most of the model on the GPU"));
    EXPECT_THAT(explain(report_), HasSubstr("MiB to copy"));
    EXPECT_THAT(to_markdown(report_), HasSubstr("ranked by memory"));
}

TEST_F(Reports, JsonHoldsEveryTier) {
    const json document = json::parse(to_json({report_, report_}));
    EXPECT_EQ(document["schema"], "pshard-plan");
    ASSERT_EQ(document["plans"].size(), 2U);
    const json& plan = document["plans"][0];
    ASSERT_EQ(plan["tiers"].size(), report_.plan.tiers.size());
    for (std::size_t i = 0; i < report_.plan.tiers.size(); ++i) {
        const Candidate& winner = *report_.plan.tiers[i].winner();
        EXPECT_EQ(plan["tiers"][i]["plan"]["memory"]["device_bytes"], winner.memory.device.total());
        EXPECT_EQ(plan["tiers"][i]["plan"]["choice"]["n_pinned"], winner.choice.n_pinned);
    }
    EXPECT_EQ(plan["switch_bytes"].size(), report_.plan.switches.size());
}

TEST_F(Reports, JsonOfNamesThatAreNoUtf8IsStillJson) {
    report_.inventory.model_name = "\xff\xfe";
    EXPECT_FALSE(json::parse(to_json({report_}), nullptr, false).is_discarded());
    EXPECT_FALSE(json::parse(to_json_lines({report_}), nullptr, false).is_discarded());
}

TEST_F(Reports, CsvQuotesWhatNeedsIt) {
    report_.model_path = "a,\"b\".gguf";
    EXPECT_THAT(to_csv({report_}), HasSubstr("\"a,\"\"b\"\".gguf\""));
}

TEST(Words, TableIsPaddedAndFlush) {
    EXPECT_EQ(markdown_table({{"a", "number"}, {"long name", "7"}}, {false, true}),
              "| a         | number |\n"
              "|-----------|-------:|\n"
              "| long name |      7 |\n");
}

TEST_F(Reports, RegistryFormIsWritableAndComesBack) {
    RegistrySection section;
    section.fingerprint = Hash64{1};
    section.variants = {to_registry_variant(report_)};
    ASSERT_TRUE(check_writable(section).ok());
    const Result<RegistryReading> reading = read_registry(to_text(Registry{{section}}), "test");
    ASSERT_TRUE(reading.ok());
    EXPECT_TRUE(reading.value().warnings.empty());
    const RegistryVariant& back = reading.value().registry.sections[0].variants[0];
    EXPECT_EQ(back.pshard, section.variants[0].pshard);
    ASSERT_EQ(back.tiers.size(), report_.plan.tiers.size());
    for (std::size_t i = 0; i < back.tiers.size(); ++i) {
        EXPECT_EQ(back.tiers[i].pshard, section.variants[0].tiers[i].pshard);
    }
}

// The published reader does not know STATIC_FITPARAMS: it gets the best of the others.
TEST_F(Reports, PlanWithoutPublishedFormIsKeptInAPshardLine) {
    report_.forced = Strategy::StaticFitParams;
    search();
    for (const RegistryTier& tier : to_registry_variant(report_).tiers) {
        EXPECT_FALSE(tier.viable);
        ASSERT_TRUE(tier.pshard.plan);
        EXPECT_EQ(tier.pshard.plan->strategy, Strategy::StaticFitParams);
        EXPECT_TRUE(tier.pshard.tps);
    }
}

TEST_F(Reports, BudgetIsRoundedUpToMib) { EXPECT_EQ(to_registry_variant(report_).budget_mib, 1U); }

TEST_F(Reports, MachineHashFollowsEveryFigure) {
    const Hash64 before = machine_hash(&profile_);
    profile_.gpu->launch_us = 3.5;
    EXPECT_NE(machine_hash(&profile_), before);
    EXPECT_EQ(machine_hash(nullptr), Hash64{});
}

}  // namespace
}  // namespace pshard
