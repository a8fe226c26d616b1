// Reports, on toy models.
#include "report/report.h"

#include <nlohmann/json.hpp>

#include "report/words.h"
#include "support/testing.h"
#include "support/toy_planning.h"

namespace pshard {
namespace {

using nlohmann::json;

using Reports = test::ToyPlanning;

// A head and a line for each of two tiers, of 19 columns.
void expect_rectangular(const std::string& csv) {
    EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 1 + 2);
    std::istringstream lines(csv);
    for (std::string line; std::getline(lines, line);) {
        EXPECT_EQ(std::count(line.begin(), line.end(), ','), 18) << line;
    }
}

TEST_F(Reports, MarkdownHasARowForEachTier) {
    const std::string text = to_markdown(planning_);
    EXPECT_THAT(text, HasSubstr("- machine: unnamed CPU; "));
    EXPECT_THAT(text, HasSubstr("| t/s at 2 |"));
    for (const TierPlan& tier : planning_.plan.tiers) {
        EXPECT_THAT(text, HasSubstr(strategy_name(tier.winner()->choice.strategy)));
    }
}

// At depth 0 the second column would be the first; at a depth that no batch leaves room behind,
// the third the second.
TEST_F(Reports, MarkdownHasNoColumnTwice) {
    for (const Bytes budget : {500, 1 << 20}) {  // tiers, and stock that holds all
        planning_.budget.total = budget;
        planning_.depth_tokens = 0;
        search();
        const std::string empty = to_markdown(planning_);
        EXPECT_THAT(empty, HasSubstr("| t/s at 0 | t/s full | bound by"));
        EXPECT_THAT(empty, Not(HasSubstr("| t/s at 0 | t/s at 0 |")));
        planning_.depth_tokens = 100;
        search();
        EXPECT_THAT(to_markdown(planning_), HasSubstr("| t/s at 0 | t/s at 100 | bound by"));
        planning_.depth_tokens = 2;
        search();
        EXPECT_THAT(to_markdown(planning_),
                    HasSubstr("| t/s at 0 | t/s at 2 | t/s full | bound by"));
    }
}

// They forged lines and moved the cursor.
TEST_F(Reports, ShowWhatNamesHide) {
    const std::string evil = "\x1b[2J\n- note: \xc2\x9b\xe2\x80\xae\a\r\x7f";
    const std::string shown = "\\x1b[2J\\x0a- note: \\u009b\\u202e\\x07\\x0d\\u007f";
    planning_.inventory.model_name = evil;
    planning_.inventory.architecture = evil;
    planning_.model_path = planning_.registry_path = evil;
    planning_.notes = {evil};
    profile_.cpu_name = profile_.gpu_name = evil;
    const std::string text = to_markdown(planning_) + explain(planning_);
    for (const char* part :
         {"- model: ", " (", "), ", "- registry: ", "- note: ", "- machine: ", "; "}) {
        EXPECT_THAT(text, HasSubstr(part + shown));
    }
    EXPECT_THAT(text, Not(testing::ContainsRegex("[\x1b\a\r\x7f\xc2\xe2]")));
    EXPECT_THAT(text, Not(HasSubstr("\n- note: \\u009b")));
}

TEST_F(Reports, MarkdownSaysWhatTheBudgetIsSharedWith) {
    planning_.budget.reserve = kMiB;
    EXPECT_THAT(to_markdown(planning_), HasSubstr("reserve 1.0"));
}

TEST_F(Reports, TiersWithoutAPlanSayWhy) {
    planning_.host.memory = 10;
    search();
    EXPECT_FALSE(is_viable(planning_));
    EXPECT_THAT(to_markdown(planning_), HasSubstr("not viable"));
    EXPECT_THAT(to_markdown(planning_), HasSubstr("more host memory than there is"));
}

TEST_F(Reports, ModelThatFitsShowsStockRates) {
    planning_.budget.total = 1 << 20;
    search();
    ASSERT_TRUE(planning_.plan.baseline_vram);
    EXPECT_TRUE(is_viable(planning_));
    const std::string text = to_markdown(planning_);
    EXPECT_THAT(text, HasSubstr("pshard_disabled=1"));
    EXPECT_EQ(planning_.stock_rates.size(), planning_.inventory.graphs.size());
    EXPECT_THAT(text, HasSubstr("| t/s full |"));
    EXPECT_EQ(explain(planning_), "");
    expect_rectangular(to_csv({planning_}));
    EXPECT_THAT(to_csv({planning_}),
                HasSubstr(",1,1,STATIC_FITPARAMS_DENSEPRIO_MOEONLY,4,4,NONE,"));
    EXPECT_FALSE(
        json::parse(to_json({planning_}))["plans"][0]["stock_holds_all"]["tiers"][0]["full_cache"]
            .is_null());
}

// 8 cells: the batch of 4 does not fit behind 5 tokens, with a profile or where stock holds all.
TEST_F(Reports, NamesBatchesThatDoNotFitBehindTheDepth) {
    planning_.inventory.context.n_ctx = 8;
    planning_.depth_tokens = 5;
    search();
    const std::string note = "Batches of 4 tokens do not fit behind 5 others: their rates";
    EXPECT_THAT(to_markdown(planning_), HasSubstr(note));
    for (const TierPlan& tier : planning_.plan.tiers) {
        EXPECT_EQ(tier.winner()->prediction->depth_tokens, tier.key.n_tokens == 4 ? 4 : 5);
    }
    planning_.budget.total = 1 << 20;
    search();
    EXPECT_THAT(to_markdown(planning_), HasSubstr(note));
    planning_.profile = nullptr;
    EXPECT_THAT(to_markdown(planning_), Not(HasSubstr(note)));
}

TEST_F(Reports, SaysWhatEachSequenceHolds) {
    planning_.inventory.context.n_ctx = 4096;
    EXPECT_THAT(context_text(planning_.inventory), Not(HasSubstr("each of")));
    planning_.inventory.context.n_seq_max = 4;
    EXPECT_THAT(context_text(planning_.inventory), HasSubstr(", each of at most 1024 tokens"));
    planning_.inventory.context.kv_unified = true;
    EXPECT_THAT(context_text(planning_.inventory), Not(HasSubstr("each of")));
}

// Rivals that are faster by less than kEqualShare, and stream more.
TEST_F(Reports, ExplainSaysWhereTheFastestIsNotThePlan) {
    TierPlan& tier = planning_.plan.tiers[0];
    tier.viable[1].prediction->tokens_per_second =
        tier.viable[0].prediction->tokens_per_second * (1 + 0.5 * kEqualShare);
    EXPECT_THAT(explain(planning_),
                HasSubstr("within 0.1 % of the fastest and streaming the least"));
}

TEST_F(Reports, ExplainTellsWhyEachRivalLost) {
    EXPECT_THAT(explain(planning_), Not(HasSubstr("One pass from a cold start")));
    add_details(planning_);
    const std::string text = explain(planning_);
    EXPECT_THAT(text, HasSubstr("GPU |"));
    EXPECT_THAT(text, HasSubstr("the fastest of"));
    EXPECT_THAT(text, HasSubstr("stream slots"));
    EXPECT_THAT(text, HasSubstr("### Plan switches, ms"));
    for (const TierPlan& tier : planning_.plan.tiers) {
        for (const Candidate* rival : best_rivals(tier)) {
            EXPECT_NE(rival->choice.strategy, tier.winner()->choice.strategy);
            EXPECT_THAT(text, HasSubstr(strategy_name(rival->choice.strategy)));
        }
    }
}

// Stock is no plan of PSHARD0's: what it reaches stands beside the rivals, op-offload and all.
TEST_F(Reports, StockStandsBesideTheRivals) {
    planning_.inventory =
        toy_model({.n_layers = 4, .n_embd = 64, .n_ff = 128, .n_cells = 32, .tiers = {32}});
    planning_.budget.total =
        all_resident_bytes(planning_.inventory, planning_.inventory.graphs[0]) * 3 / 4;
    search();
    const std::optional<Candidate> stock =
        stock_fit(problem_of(planning_), planning_.inventory.graphs[0]);
    ASSERT_TRUE(stock && stock->prediction);
    EXPECT_THAT(explain(planning_),
                HasSubstr("llama.cpp's own fit with its op-offload: " +
                          rate_text(stock->prediction) + " t/s, "));
    const json tier = json::parse(to_json({planning_}))["plans"][0]["tiers"][0];
    EXPECT_EQ(tier["stock_fit"]["prediction"]["pass_seconds"], stock->prediction->pass_seconds);
    for (const json& rival : tier["rivals"]) {
        EXPECT_NE(rival["prediction"]["pass_seconds"], stock->prediction->pass_seconds);
    }
}

TEST_F(Reports, MarkdownNamesTheBatchThatIsFastest) {
    planning_.plan.tiers[0].viable[0].prediction->tokens_per_second = 9000;  // one token: no prompt
    EXPECT_THAT(to_markdown(planning_),
                HasSubstr("\nPrompts are reckoned fastest in batches of 4 tokens, "));
    TierPlan larger = planning_.plan.tiers[1];
    planning_.plan.tiers[1].viable[0].prediction->tokens_per_second = 500;
    planning_.plan.tiers[1].times.points = {{0, 4 / 500.0}};
    larger.viable[0].prediction->tokens_per_second = 50;
    larger.times.points = {{0, 4 / 50.0}};
    planning_.plan.tiers.push_back(larger);
    planning_.stock_fits.emplace_back();
    EXPECT_THAT(to_markdown(planning_), HasSubstr("batches of 4 tokens, 500 t/s: -ub 4.\n"));
    planning_.faster_ubatch = 512;
    EXPECT_THAT(to_markdown(planning_), HasSubstr("prompts, 500 t/s; -ub 512 is faster.\n"));
}

TEST_F(Reports, MarkdownNamesTheTiersThatAreLeftOut) {
    EXPECT_THAT(to_markdown(planning_), Not(HasSubstr("have no plan")));
    TierPlan slow = planning_.plan.tiers[1];
    slow.key.n_tokens = 512;
    slow.viable[0].prediction->tokens_per_second = 5;
    TierPlan none;
    none.key.n_tokens = 1024;
    planning_.plan.dominated = {slow, none};
    EXPECT_THAT(
        to_markdown(planning_),
        HasSubstr("\nBatches of 512 tokens (5.00 t/s) have no plan: smaller ones, one after the "
                  "other, are faster.\n\nBatches of 1024 tokens have no plan: they do not fit.\n"));
    const json plan = json::parse(to_json({planning_}))["plans"][0];
    EXPECT_EQ(plan["dominated_tiers"][0]["tokens"], 512);
    EXPECT_EQ(plan["dominated_tiers"][1]["viable"], false);
}

TEST_F(Reports, MarkdownNamesBatchesThatStockIsFasterWith) {
    planning_.inventory =
        toy_model({.n_layers = 4, .n_embd = 64, .n_ff = 128, .n_cells = 32, .tiers = {32}});
    planning_.budget.total =
        all_resident_bytes(planning_.inventory, planning_.inventory.graphs[0]) * 3 / 4;
    search();
    const double stock = stock_fit(problem_of(planning_), planning_.inventory.graphs[0])
                             ->prediction->tokens_per_second;
    double& planned = planning_.plan.tiers[0].viable[0].prediction->tokens_per_second;
    planned = 2 * stock;
    EXPECT_THAT(to_markdown(planning_), Not(HasSubstr("own fit is reckoned faster")));
    planned = stock / 2;
    EXPECT_THAT(
        to_markdown(planning_),
        HasSubstr("\nStock llama.cpp's own fit is reckoned faster with batches of 32 tokens (" +
                  rate_text(stock) + " t/s).\n"));
}

TEST_F(Reports, ExplainWithoutProfileRanksByMemory) {
    planning_.profile = nullptr;
    search();
    EXPECT_THAT(to_markdown(planning_), Not(HasSubstr("reckoned fastest")));
    EXPECT_THAT(explain(planning_), HasSubstr("keeps the most of the model on the GPU"));
    EXPECT_THAT(explain(planning_), HasSubstr("MiB to copy"));
    EXPECT_THAT(to_markdown(planning_), HasSubstr("for an assumed machine"));
}

TEST_F(Reports, JsonHoldsEveryTier) {
    const json document = json::parse(to_json({planning_, planning_}));
    EXPECT_EQ(document["schema"], "pshard-plan");
    ASSERT_EQ(document["plans"].size(), 2U);
    const json& plan = document["plans"][0];
    ASSERT_EQ(plan["tiers"].size(), planning_.plan.tiers.size());
    for (std::size_t i = 0; i < planning_.plan.tiers.size(); ++i) {
        const Candidate& winner = *planning_.plan.tiers[i].winner();
        EXPECT_EQ(plan["tiers"][i]["plan"]["memory"]["device_bytes"], winner.memory.device.total());
        EXPECT_EQ(plan["tiers"][i]["plan"]["choice"]["n_pinned"], winner.choice.n_pinned);
    }
    EXPECT_EQ(plan["switch_bytes"].size(), planning_.plan.switches.size());
}

TEST_F(Reports, JsonOfNamesThatAreNoUtf8IsStillJson) {
    planning_.inventory.model_name = "\xff\xfe";
    EXPECT_FALSE(json::parse(to_json({planning_}), nullptr, false).is_discarded());
    EXPECT_FALSE(json::parse(to_json_lines({planning_}), nullptr, false).is_discarded());
}

TEST_F(Reports, CsvHasALineForEachTier) { expect_rectangular(to_csv({planning_})); }

TEST_F(Reports, CsvQuotesWhatNeedsIt) {
    planning_.model_path = "a,\"b\".gguf";
    EXPECT_THAT(to_csv({planning_}), HasSubstr("\"a,\"\"b\"\".gguf\""));
}

TEST(Words, TableIsPaddedAndFlush) {
    EXPECT_EQ(markdown_table({{"a", "number"}, {"long name", "7"}}, {false, true}),
              "| a         | number |\n"
              "|-----------|-------:|\n"
              "| long name |      7 |\n");
}

}  // namespace
}  // namespace pshard
