#include "explain/explanation.h"

#include <nlohmann/json.hpp>

#include "explain/forms.h"
#include "explain/what_if.h"
#include "registry/pshard_lines.h"
#include "support/testing.h"
#include "support/toy_planning.h"

namespace pshard {
namespace {

using nlohmann::json;

class Explanations : public test::ToyPlanning {
protected:
    // What a run of the plan would leave, each step and pass as predicted, by one tier slower.
    Trace trace_of(const Explanation& explanation) const {
        Trace trace{"libggml-pshard 9", "toy GPU", "toy", {}};
        for (const ExplainedTier& tier : explanation.tiers) {
            for (const double end : {9.0, 5.0, 7.0}) {
                TracedPass pass = tier.pass;
                pass.timeline.end = end;
                trace.passes.push_back(std::move(pass));
            }
        }
        return trace;
    }
};

TEST_F(Explanations, TellWhatThePlanDoes) {
    const Explanation explanation = explain_plan(planning_, study_tiers(planning_));
    ASSERT_EQ(explanation.tiers.size(), planning_.plan.tiers.size());
    for (const ExplainedTier& tier : explanation.tiers) {
        const Candidate& winner = *tier.plan.winner();
        EXPECT_EQ(tier.layers.size(), 4U);
        EXPECT_GT(tier.pass.timeline.end, 0);
        EXPECT_EQ(tier.pass.names.size(), tier.pass.schedule.steps.size());
        EXPECT_LE(*tier.reached(tier.bound_in_order), 1 + 1e-9);
        EXPECT_LE(*tier.reached(tier.bound), *tier.reached(tier.bound_in_order) + 1e-5);
        EXPECT_EQ(tier.depths.front().depth_tokens, 0U);
        EXPECT_EQ(tier.depths.front().tokens_per_second, tier.plan.empty->tokens_per_second);
        EXPECT_EQ(tier.depths.back().tokens_per_second, tier.plan.full->tokens_per_second);
        const auto pinned =
            std::count(tier.layers.begin(), tier.layers.end(), LayerLanes{Lane::Gpu, Lane::Gpu});
        EXPECT_GE(pinned, winner.choice.n_pinned);
    }
}

TEST_F(Explanations, ExplainAModelThatFits) {
    planning_.budget.total = 1 << 20;
    search();
    ASSERT_TRUE(planning_.plan.baseline_vram);
    const Explanation explanation = explain_plan(planning_, study_tiers(planning_));
    ASSERT_EQ(explanation.tiers.size(), 2U);
    EXPECT_GT(explanation.tiers[0].plan.winner()->prediction->tokens_per_second, 0);
    EXPECT_THAT(explanation_markdown(explanation), HasSubstr("pshard_disabled=1"));
}

TEST_F(Explanations, ExplainWithoutAProfile) {
    planning_.profile = nullptr;
    search();
    const Explanation explanation = explain_plan(planning_, study_tiers(planning_));
    for (const ExplainedTier& tier : explanation.tiers) {
        EXPECT_FALSE(tier.bound);
        EXPECT_TRUE(tier.depths.empty());
        EXPECT_TRUE(tier.pass.timeline.intervals.empty());
    }
    EXPECT_THAT(explanation_markdown(explanation), Not(HasSubstr("What bounds")));
    EXPECT_TRUE(json::parse(explanation_json(explanation))["tiers"][0]["pass"].is_null());
}

TEST_F(Explanations, PlanAgainIsThePlanWhereNothingChanged) {
    const Scenario same = plan_again("same", problem_of(planning_));
    ASSERT_EQ(same.rates.size(), planning_.plan.tiers.size());
    for (std::size_t i = 0; i < same.rates.size(); ++i) {
        const Candidate& winner = *planning_.plan.tiers[i].winner();
        EXPECT_EQ(same.rates[i], winner.prediction->tokens_per_second);
        EXPECT_EQ(same.plans[i], strategy_name(winner.choice.strategy));
    }
}

TEST_F(Explanations, AFasterLinkNeverSlows) {
    const MachineProfile faster = with_link(profile_, 4 * *link_gb_per_s(profile_));
    Problem problem = problem_of(planning_);
    const Scenario before = plan_again("", problem);
    problem.profile = &faster;
    const Scenario after = plan_again("", problem);
    for (std::size_t i = 0; i < after.rates.size(); ++i) {
        EXPECT_GE(after.rates[i], before.rates[i] * (1 - kEqualShare));
    }
}

TEST_F(Explanations, SweepEndsWhereEverythingFits) {
    const std::vector<Scenario> budgets = sweep(planning_, 5);
    ASSERT_EQ(budgets.size(), 5U);
    for (std::size_t b = 1; b < budgets.size(); ++b) {
        EXPECT_GT(budgets[b].budget, budgets[b - 1].budget);
        for (std::size_t i = 0; i < budgets[b].rates.size(); ++i) {
            EXPECT_GE(budgets[b].rates[i], budgets[b - 1].rates[i] * (1 - kEqualShare));
        }
    }
    for (const Graph& graph : planning_.inventory.graphs) {
        EXPECT_GE(budgets.back().budget, all_resident_bytes(planning_.inventory, graph));
    }
}

// Passes of 5, 7 and 9 seconds: the median is 7.
TEST_F(Explanations, CompareTheMedianPass) {
    const Explanation explanation = explain_plan(planning_, study_tiers(planning_));
    const Measured measured = compare(trace_of(explanation), explanation);
    ASSERT_EQ(measured.tiers.size(), explanation.tiers.size());
    for (std::size_t i = 0; i < measured.tiers.size(); ++i) {
        const MeasuredTier& tier = measured.tiers[i];
        EXPECT_EQ(tier.tier, explanation.tiers[i].plan.key);
        EXPECT_EQ(tier.n_passes, 3U);
        EXPECT_EQ(tier.median_seconds, 7.0);
        EXPECT_TRUE(tier.same_schedule);
        EXPECT_EQ(tier.predicted_seconds,
                  explanation.tiers[i].plan.winner()->prediction->pass_seconds);
        EXPECT_EQ(tier.pass.steps.size(), explanation.tiers[i].pass.timeline.intervals.size());
    }
}

// Half a batch is no measure of the whole one's prediction.
TEST_F(Explanations, CompareOnlyPassesThatFillTheTier) {
    const Explanation explanation = explain_plan(planning_, study_tiers(planning_));
    Trace trace = trace_of(explanation);
    const std::uint32_t tier_tokens = explanation.tiers[1].plan.key.n_tokens;
    trace.passes.erase(trace.passes.begin(), trace.passes.begin() + 3);
    trace.passes[0].n_tokens = 2;  // of 9 seconds
    const MeasuredTier full = compare(trace, explanation).tiers.at(0);
    EXPECT_EQ(full.n_tokens, tier_tokens);
    EXPECT_EQ(full.n_passes, 2U);
    EXPECT_EQ(full.n_others, 1U);
    EXPECT_EQ(full.median_seconds, 7.0);
    EXPECT_TRUE(full.predicted_seconds);
    for (TracedPass& pass : trace.passes) pass.n_tokens = 2;
    trace.passes[0].n_tokens = 3;
    const MeasuredTier partial = compare(trace, explanation).tiers.at(0);
    EXPECT_EQ(partial.n_tokens, 2U);
    EXPECT_EQ(partial.n_passes, 2U);
    EXPECT_EQ(partial.n_others, 1U);
    EXPECT_FALSE(partial.predicted_seconds);
}

TEST_F(Explanations, CompareLeavesOutOtherModels) {
    const Explanation explanation = explain_plan(planning_, study_tiers(planning_));
    Trace trace = trace_of(explanation);
    const std::string own = to_text(weights_hash(planning_.inventory.weights));
    for (TracedPass& pass : trace.passes) pass.weights = own;
    EXPECT_EQ(compare(trace, explanation).n_foreign, 0U);
    trace.passes[1].weights = "0x0123456789abcdef";
    const Measured measured = compare(trace, explanation);
    EXPECT_EQ(measured.n_foreign, 1U);
    EXPECT_EQ(measured.tiers.at(0).n_passes, 2U);
    for (TracedPass& pass : trace.passes) pass.weights = "0x0123456789abcdef";
    EXPECT_TRUE(compare(trace, explanation).tiers.empty());
}

TEST_F(Explanations, CompareSaysWhereTheScheduleIsAnother) {
    const Explanation explanation = explain_plan(planning_, study_tiers(planning_));
    Trace trace = trace_of(explanation);
    trace.passes.resize(1);
    trace.passes[0].tier = {3};
    const MeasuredTier unknown = compare(trace, explanation).tiers.at(0);
    EXPECT_FALSE(unknown.predicted_seconds);
    EXPECT_FALSE(unknown.same_schedule);
    trace.passes[0].tier = {1};
    EXPECT_TRUE(compare(trace, explanation).tiers.at(0).same_schedule);
    trace.passes[0].timeline.intervals.pop_back();
    EXPECT_FALSE(compare(trace, explanation).tiers.at(0).same_schedule);
}

// llama.cpp computes the embeddings itself: a run without them did the same.
TEST_F(Explanations, CompareForgivesTheEmbeddings) {
    const Explanation explanation = explain_plan(planning_, study_tiers(planning_));
    Trace trace = trace_of(explanation);
    trace.passes.resize(1);
    std::vector<Interval>& intervals = trace.passes[0].timeline.intervals;
    const auto first = std::find_if(intervals.begin(), intervals.end(), [&](const Interval& i) {
        const auto step = std::size_t(i.step);
        return trace.passes[0].schedule.steps[step].lane == ScheduleLane::Cpu;
    });
    ASSERT_NE(first, intervals.end());
    intervals.erase(first);
    EXPECT_TRUE(compare(trace, explanation).tiers.at(0).same_schedule);
    trace.passes[0].names.assign(trace.passes[0].names.size(), "else");
    EXPECT_FALSE(compare(trace, explanation).tiers.at(0).same_schedule);
}

class ExplanationForms : public Explanations {
protected:
    Explanation full() const {
        Explanation explanation = explain_plan(planning_, study_tiers(planning_));
        Scenario threads;
        threads.name = "threads";
        threads.remark = "not planned";
        explanation.changes = {plan_again("the same, again", problem_of(planning_)), threads};
        explanation.budgets = sweep(planning_, 3);
        explanation.measured = compare(trace_of(explanation), explanation);
        return explanation;
    }
};

TEST_F(ExplanationForms, JsonHoldsEverything) {
    const Explanation explanation = full();
    const json document = json::parse(explanation_json(explanation));
    EXPECT_EQ(document["schema"], "pshard-explain");
    EXPECT_EQ(document["version"], 1);
    EXPECT_EQ(document["plan"]["schema"], "pshard-plan");
    EXPECT_EQ(document["plan"]["tiers"].size(), 2U);
    ASSERT_EQ(document["tiers"].size(), 2U);
    const json& tier = document["tiers"][0];
    const Candidate& winner = *planning_.plan.tiers[0].winner();
    EXPECT_EQ(tier["tokens"], 1);
    EXPECT_EQ(tier["tokens_per_second"], winner.prediction->tokens_per_second);
    EXPECT_EQ(tier["lower_bound"]["in_order"]["seconds"],
              explanation.tiers[0].bound_in_order->seconds);
    EXPECT_EQ(tier["layers"].size(), 4U);
    EXPECT_EQ(tier["pass"]["steps"].size(), explanation.tiers[0].pass.timeline.intervals.size());
    EXPECT_EQ(document["changes"][0]["tokens_per_second"][0], winner.prediction->tokens_per_second);
    EXPECT_EQ(document["changes"][1]["remark"], "not planned");
    EXPECT_EQ(document["budgets"].size(), 3U);
    EXPECT_EQ(document["measured"]["tiers"][0]["median_seconds"], 7.0);
}

TEST_F(ExplanationForms, MarkdownHasEverySection) {
    const std::string text = explanation_markdown(full());
    for (const char* head : {"## Why",
                             "## What bounds each tier",
                             "## What more would bring",
                             "## Tokens per second over the budget",
                             "## Predicted against measured",
                             "threads: not planned"}) {
        EXPECT_THAT(text, HasSubstr(head));
    }
    EXPECT_THAT(text, HasSubstr("(+0 %)")) << "nothing was changed";
    EXPECT_THAT(text, HasSubstr("7000.0"));
}

TEST_F(ExplanationForms, ShowWhatNamesHide) {
    const std::string evil = "\x1b[2J\n## Why\xe2\x80\xae";
    planning_.inventory.model_name = evil;
    Explanation explanation = full();
    explanation.measured->device = explanation.measured->program = evil;
    explanation.changes[1].name = explanation.changes[1].remark = evil;
    const std::string text = explanation_markdown(explanation);
    const std::string shown = "\\x1b[2J\\x0a## Why\\u202e";
    for (const std::string& part :
         {"\n\n" + shown + " on " + shown + ": of each", "- " + shown + ": " + shown}) {
        EXPECT_THAT(text, HasSubstr(part));
    }
    EXPECT_THAT(text, Not(testing::ContainsRegex("[\x1b\xe2]")));
    EXPECT_THAT(explanation_page(explanation, "@DATA@ @LIBRARY@", ""),
                testing::AllOf(Not(HasSubstr("\xe2\x80\xae")), HasSubstr("\\u202e")));
}

TEST_F(ExplanationForms, CsvIsRectangular) {
    const std::string text = explanation_csv(full());
    EXPECT_THAT(text, HasSubstr("table,tokens,name,figure,value\n"));
    EXPECT_THAT(text, HasSubstr("change,1,\"the same, again\",tokens_per_second,"));
    EXPECT_THAT(text, HasSubstr("measured,4,median of 4 tokens,pass_seconds,7\n"));
    for (const char* table : {"\ntier,", "\nlower_bound,", "\nlane,", "\ndepth,", "\nbudget,"}) {
        EXPECT_THAT(text, HasSubstr(table));
    }
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        bool quoted = false;
        int commas = 0;
        for (const char c : line) {
            quoted = quoted != (c == '"');
            commas += c == ',' && !quoted ? 1 : 0;
        }
        EXPECT_EQ(commas, 4) << line;
    }
}

// A model's name must not end the script that holds the data.
TEST_F(ExplanationForms, PageHoldsTheJsonAndTheLibrary) {
    const Explanation explanation = full();
    const std::string page =
        explanation_page(explanation, "<a>@DATA@</a><b>@LIBRARY@</b>", "x=\"@DATA@\"<1");
    const std::size_t end = page.find("</a>");
    ASSERT_NE(end, page.npos);
    const std::string data = page.substr(3, end - 3);
    EXPECT_EQ(data.find('<'), data.npos);
    EXPECT_EQ(json::parse(data), json::parse(explanation_json(explanation)));
    EXPECT_EQ(page.substr(end), "</a><b>x=\"@DATA@\"<1</b>");
}

}  // namespace
}  // namespace pshard
