// llama-pshard-explain as a user runs it.
#include <nlohmann/json.hpp>

#include "build_paths.h"
#include "support/chrome_trace.h"
#include "support/testing.h"
#include "tool/run_tool.h"

namespace pshard::test {
namespace {

using nlohmann::json;

class ExplainTool : public ToolTest {
protected:
    ExplainTool() { tool_ = PSHARD_TOOL_PATH_EXPLAIN; }

    // Bad input: exit code 1, nothing on stdout, and last on stderr one line with this sentence.
    void expect_refused(const std::vector<std::string>& more, const std::string& sentence) const {
        const ToolRun run = this->run(planning(more));
        EXPECT_EQ(run.exit_code, 1) << sentence;
        EXPECT_EQ(run.out, "");
        EXPECT_THAT(run.err, HasSubstr(sentence));
        EXPECT_THAT(run.err, Not(HasSubstr("terminate"))) << run.err;
    }

    std::string write(const std::string& name, const std::string& text) const {
        std::ofstream(folder_ / name, std::ios::binary) << text;
        return folder_ / name;
    }
};

TEST_F(ExplainTool, ExplainsAndWritesNoRegistry) {
    const ToolRun run = this->run(planning());
    EXPECT_EQ(run.exit_code, 0) << run.err;
    EXPECT_THAT(run.out, StartsWith("- model: "));
    for (const char* head : {"## Why",
                             "## What bounds each tier",
                             "## What more would bring",
                             "| 1 GiB more VRAM ",
                             "| link twice as fast "}) {
        EXPECT_THAT(run.out, HasSubstr(head));
    }
    EXPECT_FALSE(std::filesystem::exists(registry()));
}

// What is planned for the same machine anew is what is planned for it.
TEST_F(ExplainTool, AWhatIfOfTheSameMachineChangesNothing) {
    const ToolRun run =
        this->run(planning({"-o", "json", "--what-if", "vram=1500,link=45GB/s,threads=8"}));
    ASSERT_EQ(run.exit_code, 0) << run.err;
    const json document = json::parse(run.out);
    const json& change = document["changes"].back();
    EXPECT_EQ(change["name"], "vram=1500,link=45GB/s,threads=8");
    ASSERT_GT(document["tiers"].size(), 3U);
    for (std::size_t i = 0; i < document["tiers"].size(); ++i) {
        const json& tier = document["tiers"][i];
        EXPECT_EQ(change["tokens_per_second"][i], tier["tokens_per_second"]);
        EXPECT_LE(tier["lower_bound"]["in_order"]["reached"], 1.0);
        EXPECT_GT(tier["lower_bound"]["in_order"]["reached"], 0.2);
    }
}

// The profile has rows for 8 threads alone.
TEST_F(ExplainTool, SaysWhereAWhatIfIsNotWhatItIsAskedFor) {
    const ToolRun run = this->run(planning({"--what-if", "threads=2"}));
    ASSERT_EQ(run.exit_code, 0) << run.err;
    EXPECT_THAT(run.out, HasSubstr("- threads=2: the CPU profile has no rows for 2 threads"));
}

// A trace of one pass of one token, of the model with these weights.
std::string trace_of(const std::string& weights) {
    Trace trace{"libggml-pshard", "a GPU", "", {}};
    TracedPass& pass = trace.passes.emplace_back();
    pass.n_tokens = 1;
    pass.tier = {1};
    pass.weights = weights;
    return test::to_chrome_trace(trace);
}

TEST_F(ExplainTool, ComparesNoOtherModelsTrace) {
    const std::string whole = trace_of("");
    const ToolRun run = this->run(planning({"--trace", write("whole.json", whole)}));
    EXPECT_EQ(run.exit_code, 0) << run.err;
    EXPECT_THAT(run.out, Not(HasSubstr("The trace ends within a pass")));
    const std::string cut = whole.substr(0, whole.size() - 2) + ",\n{\"ph\":\"X\",";
    const ToolRun part = this->run(planning({"--trace", write("cut.json", cut)}));
    EXPECT_EQ(part.exit_code, 0) << part.err;
    EXPECT_THAT(part.out, HasSubstr("- The trace ends within a pass"));
    expect_refused({"--trace", write("other.json", trace_of("0x0123456789abcdef"))},
                   "other.json: no pass of this trace is of this model (the first is");
    expect_refused({"--trace", write("empty.json", test::to_chrome_trace({"pshard", "", "", {}}))},
                   "empty.json: this trace holds no whole pass");
}

TEST_F(ExplainTool, WritesOneFileForTheBrowser) {
    const std::string page = folder_ / "report.html";
    const ToolRun run = this->run(planning({"--html", page, "-o", "csv"}));
    ASSERT_EQ(run.exit_code, 0) << run.err;
    EXPECT_THAT(run.out, HasSubstr("\nbudget,512,"));
    const std::string text = text_in(page);
    EXPECT_THAT(text, StartsWith("<!doctype html>"));
    EXPECT_EQ(text.find("@DATA@"), text.npos);
    EXPECT_EQ(text.find("@LIBRARY@"), text.npos);
    EXPECT_GT(text.size(), 800'000U) << "the chart library is in it";
}

TEST_F(ExplainTool, NamesWhatIsWrong) {
    expect_refused({"--what-if", "link=fast"}, "--what-if: 'link=fast': expected a rate above 0");
    expect_refused({"--what-if", "gpu=none.txt"}, "none.txt: there is no such profile");
    expect_refused({"--what-if", "vram=10", "--reserve", "20"}, "--what-if vram=10: ");
    expect_refused({"--trace", "none.json"}, "none.json: there is no such trace");
    expect_refused({"--trace", write("bad.json", "[{\"ph\":\"X\"}]")}, "bad.json:1:2: this event");
    expect_refused({"--html", folder_ / "no/such/folder.html"}, "no/such/folder.html");
    expect_refused({"-o", "xml"}, "'xml' is none of md, json, csv");
    expect_refused({"--emit-args"}, "unknown argument '--emit-args'");
}

TEST_F(ExplainTool, WithoutProfilesItSaysWhatIsMissing) {
    environment_.clear();
    const ToolRun run = this->run(planning());
    EXPECT_EQ(run.exit_code, 0) << run.err;
    EXPECT_THAT(run.out, HasSubstr("## Why"));
    EXPECT_THAT(run.out, HasSubstr("no speed is predicted"));
    expect_refused({"--what-if", "vram=3000"}, "--what-if needs profiles of this machine");
}

}  // namespace
}  // namespace pshard::test
