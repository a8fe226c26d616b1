// Runs that draft: what llama-pshard-plan-params reserves for it, held against what llama-server
// says that it takes, and what llama-pshard-run starts.
#include <filesystem>
#include <fstream>
#include <regex>

#include <nlohmann/json.hpp>

#include "backend/harness/expect.h"
#include "backend/harness/programs.h"
#include "backend/harness/projector.h"
#include "backend/harness/server.h"
#include "base/temp_folder.h"
#include "base/units.h"
#include "build_paths.h"
#include "capture/gguf_header.h"
#include "models/shapes.h"
#include "support/testing.h"

namespace pshard::backend_test {
namespace {

using Words = std::vector<std::string>;

class Drafting : public testing::Test {
protected:
    void SetUp() override { PSHARD_NEEDS_PLUGIN(); }

    std::string random_model(const std::string& arch,
                             const std::string& quant,
                             const TinySizes& sizes = {}) {
        const Result<ModelShape> shape = resized(find_tiny_shape(arch).value(), sizes);
        std::string path = folder_.file(arch + ".gguf");
        EXPECT_TRUE(shape.ok());
        EXPECT_TRUE(write_random(shape.value(), quant, path, 1).ok());
        return path;
    }

    // One that reads its target, the tiny qwen3.
    std::string random_draft(const std::string& kind) {
        std::string path = folder_.file(kind + ".gguf");
        EXPECT_TRUE(write_random(find_tiny_draft(kind).value(), "Q8_0", path, 1).ok());
        return path;
    }

    // Eight layers, of which six are recurrent, and one that drafts.
    std::string hybrid() { return random_model("qwen35moe", "Q8_0", {.n_nextn = 1}); }

    test::TempFolder folder_{};
};

// ---- what is reserved ----

// MiB that llama.cpp's log tells of, in the order of the log: first the model's, then of what
// drafts.
std::vector<double> told_mib(const std::string& log, const std::string& what) {
    const std::regex line(what + " buffer size = +([0-9.]+) MiB");
    std::vector<double> found;
    for (std::sregex_iterator at(log.begin(), log.end(), line), end; at != end; ++at) {
        found.push_back(std::stod((*at)[1]));
    }
    return found;
}

// Without the embeddings of tokens, which stay in host memory.
double device_weights_mib(const std::string& model) {
    Bytes bytes = 0;
    for (const GgufHeader& file : open_model_files(model).value()) {
        for (const GgufTensor& tensor : file.tensors) {
            if (tensor.name != "token_embd.weight") bytes += tensor.bytes;
        }
    }
    return in_mib(bytes);
}

struct Drafted {
    double states = 0;  // of the model, MiB
    double drafts = 0;  // what drafts takes of the budget, MiB
};

struct Reserved {
    Drafted drafted;
    int rows = 0;
};

// What stock tells of the model, and then of what drafts.
struct StockLog {
    std::string text;
    std::vector<double> kv;       // MiB
    std::vector<double> compute;  // MiB
};

double sum(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0);
}

class DraftingMemory : public Drafting {
protected:
    // Plans the run, and starts stock's; `theirs` tells what stock's log comes to.
    void expect_as_stock(const std::string& model,
                         const Words& ours,
                         const Words& stock,
                         const std::function<Drafted(const StockLog&)>& theirs) const {
        StockLog log{log_of_stock(model, stock), {}, {}};
        log.kv = told_mib(log.text, stock_device_ + " KV");
        log.compute = told_mib(log.text, stock_device_ + " compute");
        ASSERT_EQ(log.kv.size(), 2U) << log.text;
        ASSERT_GE(log.compute.size(), 2U) << log.text;
        const auto& [drafted, rows] = reserved(model, ours);
        const auto& [states, drafts] = theirs(log);
        expect_near(drafted.states, states);
        expect_near(drafted.drafts, drafts);
        EXPECT_THAT(log.text, HasSubstr("n_outputs_max         = " + std::to_string(rows) + "\n"));
    }

    // ggml-cuda over a runtime that computes nothing, of the compute capability that is modelled.
    void let_stock_have_cuda() {
        stock_device_ = "CUDA0";
        stock_environment_ = {{"GGML_BACKEND_PATH", PSHARD_FAKECUDA_BACKEND},
                              {"FAKECUDA_CC", "86"}};
    }

private:
    std::string log_of_stock(const std::string& model, const Words& flags) const {
        const std::string device = stock_device_ == "CPU" ? "none" : stock_device_;
        ChildProgram program = llama_program("llama-server", model, device);
        program.with({"-fit", "off", "-lv", "4"}).with(flags);
        program.environment.insert(stock_environment_.begin(), stock_environment_.end());
        Server server(std::move(program));
        EXPECT_TRUE(server.wait_until_ready().ok());
        return server.stop().err;
    }

    Reserved reserved(const std::string& model, Words flags) const {
        const std::string saved = folder_.file("inventory");
        ChildProgram program{.command = {PSHARD_TOOL_PATH_PLAN_PARAMS, "-m", model}};
        program.with(flags).with({"--no-registry", "-mva", "200", "-o", "json"});
        program.with({"--save-inventory", saved});
        const ChildResult result = run(program);
        EXPECT_TRUE(result.ok()) << result.text();
        if (!result.ok()) return {};
        const nlohmann::json plan = nlohmann::json::parse(result.out)["plans"][0];
        Reserved reserved;
        reserved.drafted.drafts = in_mib(plan["budget"]["draft_bytes"].get<Bytes>());
        reserved.rows = plan["context"]["output_rows"];
        reserved.drafted.states = states_mib(saved);
        return reserved;
    }

    static void expect_near(double ours, double theirs) {
        EXPECT_NEAR(ours, theirs, std::max(1.0, 0.005 * theirs));
    }

    std::string stock_device_ = "CPU";
    Environment stock_environment_{};

    // The lines of states have name, type, shape and bytes (docs/formats/inventory.md).
    static double states_mib(const std::string& inventory) {
        std::ifstream text(inventory);
        Bytes bytes = 0;
        std::string line;
        while (std::getline(text, line) && !line.starts_with("states ")) {
        }
        while (std::getline(text, line) && !line.starts_with("graphs ")) {
            std::istringstream words(line);
            std::string name, type, shape;
            Bytes size = 0;
            words >> name >> type >> shape >> size;
            bytes += size;
        }
        return in_mib(bytes);
    }
};

Drafted of_mtp_layers(const StockLog& log) {
    return {log.kv[0] + sum(told_mib(log.text, "RS")), log.kv[1] + log.compute[1]};
}

// Recurrent states are kept for each token that may be taken back, and the drafting context has the
// run's ubatch and an f16 cache.
TEST_F(DraftingMemory, OfMtpLayersIsWhatStockTells) {
    const std::string model = hybrid();
    for (const Words& more : {Words{"-np", "1", "-ub", "512", "-ctk", "q8_0", "-ctv", "q8_0"},
                              Words{"-np", "2", "-ub", "256", "--spec-draft-n-max", "6"},
                              Words{"-np", "1", "-ub", "1024", "-ctkd", "q8_0"}}) {
        Words flags = {"-c", "4096", "-fa", "on", "-b", "1024"};
        flags.insert(flags.end(), more.begin(), more.end());
        Words ours = flags;
        ours.insert(ours.end(), {"--mtp", "--pshard-tier-max", more[3]});
        flags.insert(flags.end(), {"--spec-type", "draft-mtp"});
        expect_as_stock(model, ours, flags, of_mtp_layers);
    }
}

// CUDA's attention over a compressed cache keeps copies of it.
TEST_F(DraftingMemory, OfMtpLayersWithACompressedCacheIsWhatStockTellsOnCuda) {
    if (std::string(PSHARD_FAKECUDA_BACKEND).empty()) GTEST_SKIP() << "ggml-cuda was not fetched";
    let_stock_have_cuda();
    const std::string model = hybrid();
    Words flags = {"-c", "8192", "-fa", "on", "-b", "1024", "-ub", "512", "-np", "2"};
    for (const char* flag : {"-ctk", "-ctv", "-ctkd", "-ctvd"}) {
        flags.insert(flags.end(), {flag, "q8_0"});
    }
    Words ours = flags;
    ours.insert(ours.end(), {"--mtp", "--pshard-tier-max", "512"});
    flags.insert(flags.end(), {"--spec-type", "draft-mtp"});
    expect_as_stock(model, ours, flags, of_mtp_layers);
}

// Its cache is f16 whatever the model's is.
TEST_F(DraftingMemory, OfADraftModelIsWhatStockTells) {
    const std::string model = random_model("qwen3moe", "Q8_0");
    const std::string draft = random_model("llama", "F16");
    for (const Words& more : {Words{"-np", "1", "-ub", "512", "-ctk", "q4_0"},
                              Words{"-np", "4", "-ub", "1024", "-ctvd", "q8_0"}}) {
        Words flags = {"-c", "8192", "-fa", "on", "-b", "1024", "-md", draft};
        flags.insert(flags.end(), more.begin(), more.end());
        Words ours = flags;
        ours.insert(ours.end(), {"--pshard-tier-max", more[3]});
        flags.insert(flags.end(), {"--spec-type", "draft-simple"});
        expect_as_stock(model, ours, flags, [&](const StockLog& log) {
            return Drafted{log.kv[0], device_weights_mib(draft) + log.kv[1] + log.compute[1]};
        });
    }
}

// Kinds that read their target's embeddings and head, and are told by their files. llama.cpp wants
// EAGLE3 to be named.
TEST_F(DraftingMemory, OfWhatReadsItsTargetIsWhatStockTells) {
    const std::string model = random_model("qwen3", "Q8_0");
    for (const char* kind : {"eagle3", "dflash", "dspark"}) {
        const std::string draft = random_draft(kind);
        Words flags = {"-c", "4096", "-fa", "on", "-b", "1024", "-ub", "512", "-np", "2"};
        flags.insert(flags.end(), {"-ctk", "q8_0", "-md", draft});
        Words ours = flags;
        ours.insert(ours.end(), {"--pshard-tier-max", "512"});
        flags.insert(flags.end(), {"--spec-type", std::string("draft-") + kind});
        expect_as_stock(model, ours, flags, [&](const StockLog& log) {
            return Drafted{log.kv[0], device_weights_mib(draft) + log.kv[1] + log.compute[1]};
        });
    }
}

// ---- what is started ----

// Answers to a server of one sequence, and how many tokens were drafted for each.
Result<Talk> short_talk(Server& server) {
    Talk talk;
    for (const char* prompt : {"hello the world", "once 7 hello 12 hello 7 hello"}) {
        const Result<nlohmann::json> answer = server.post(
            "/completion",
            {{"prompt", prompt}, {"n_predict", 24}, {"temperature", 0}, {"ignore_eos", true}});
        if (!answer) return answer.error();
        talk.push_back(answer.value()["content"].get<std::string>() + " " +
                       std::to_string(answer.value()["timings"].value("draft_n", 0)));
    }
    return talk;
}

// Starts llama-server by a plan that is made for it and kept, in a budget that does not hold all of
// the model; the CPU stands in for the GPU, and PSHARD0 plans nothing itself.
class DraftingRuns : public Drafting {
protected:
    ChildProgram launched(const std::string& model,
                          int budget_mib,
                          const Words& flags,
                          const Words& context = kContext) const {
        const std::string profiles = PSHARD_SOURCE_DIR "/profiles/reference/";
        ChildProgram program{.command = {PSHARD_TOOL_PATH_RUN, "-m", model}};
        program.with(context).with({"-t", "1", "-mva", std::to_string(budget_mib)}).with(flags);
        program.with({"--", PSHARD_LLAMA_BIN_DIR "/llama-server"});
        program.environment = {{"PSHARD_DEVICE", "CPU"},
                               {"PSHARD_PLAN", "off"},
                               {"PSHARD_CPU_PROFILE", profiles + "cpu_profile.txt"},
                               {"PSHARD_GPU_PROFILE", profiles + "gpu_profile.txt"}};
        program.folder = folder_.file("");
        return program;
    }

    static ChildProgram stock(const std::string& model, const Words& flags) {
        return llama_program("llama-server", model, "none").with(kContext).with(flags);
    }

    // What the second start has logged, as the first has left a registry.
    static std::string log_as_stock(const ChildProgram& ours,
                                    const ChildProgram& stock,
                                    Talker talker) {
        const Talk expected = told_by(stock, talker).talk;
        EXPECT_EQ(told_by(ours, talker).talk, expected);
        const Told told = told_by(ours, talker);
        EXPECT_EQ(told.talk, expected);
        return told.log;
    }

    static constexpr const char* kKept = "llama-pshard-run: plan of ";  // what it says of one

    inline static const Words kContext = {"-c", "2048", "-b", "512", "-ub", "512", "-fa", "on"};
};

TEST_F(DraftingRuns, WithTheMtpLayersByAKeptPlan) {
    const std::string model = hybrid();
    const std::string log = log_as_stock(launched(model, 30, {"--mtp", "-np", "1"}),
                                         stock(model, {"--spec-type", "draft-mtp", "-np", "1"}),
                                         short_talk);
    EXPECT_THAT(log,
                AllOf(HasSubstr("plan from " + model),
                      HasSubstr("plan up to 4 tokens"),
                      HasSubstr(kKept),
                      Not(HasSubstr("another context")),
                      Not(HasSubstr("planning here"))));
}

// The cache of the layer that drafts is f16, and larger than those of the model's layers.
TEST_F(DraftingRuns, WithTheMtpLayersAndCompressedCaches) {
    const std::string model = hybrid();
    for (const char* type : {"q8_0", "q4_0"}) {
        const Told told = told_by(launched(model,
                                           20,
                                           {"-np", "2", "--mtp", "-ctk", type, "-ctv", type},
                                           {"-c", "8192", "-b", "2048", "-fa", "on"}),
                                  short_talk);
        EXPECT_EQ(told.talk.size(), 2U);
        EXPECT_THAT(told.log,
                    AllOf(HasSubstr("plan up to 4 tokens"), Not(HasSubstr("its plan has slots"))));
    }
}

// llama.cpp reserves 513 tokens for three sequences.
TEST_F(DraftingRuns, WithSequencesThatDoNotDivideTheUbatch) {
    const std::string model = hybrid();
    const Words more = {"-np", "3", "--spec-draft-n-max", "5"};
    Words flags = more;
    flags.emplace_back("--mtp");
    Words stocks = more;
    stocks.insert(stocks.end(), {"--spec-type", "draft-mtp"});
    const std::string log =
        log_as_stock(launched(model, 40, flags), stock(model, stocks), drafted_talk);
    EXPECT_THAT(log, AllOf(HasSubstr("plan up to 18 tokens"), Not(HasSubstr("this run reserves"))));
}

TEST_F(DraftingRuns, WithADraftModelThatItsPlanLeavesRoom) {
    const std::string model = random_model("qwen35moe", "Q8_0");
    const std::string draft = random_model("llama", "F16");
    const std::string log = log_as_stock(
        launched(model, 40, {"-md", draft, "-np", "1"}),
        stock(model, {"-md", draft, "--spec-type", "draft-simple", "-devd", "none", "-np", "1"}),
        short_talk);
    EXPECT_THAT(log,
                AllOf(HasSubstr("plan from " + model),
                      HasSubstr(kKept),
                      HasSubstr("the other model's plan leaves room for it"),
                      Not(HasSubstr("PSHARD_FINGERPRINT")),
                      Not(HasSubstr("PSHARD_PLAN is off"))));
}

// What drafts is a model of its own, with a plan in the room that is left, though its graphs read
// the target's head.
TEST_F(DraftingRuns, WithWhatReadsItsTargetByAKeptPlan) {
    const std::string model = random_model("qwen3", "Q8_0", {.n_layer = 24});
    for (const std::string kind : {"eagle3", "dflash", "dspark"}) {
        const Words flags = {"-md", random_draft(kind), "--spec-type", "draft-" + kind, "-np", "1"};
        Words stocks = flags;
        stocks.insert(stocks.end(), {"-devd", "none"});
        const std::string log =
            log_as_stock(launched(model, 19, flags), stock(model, stocks), short_talk);
        EXPECT_THAT(log,
                    AllOf(HasSubstr(kKept),
                          HasSubstr("the other model's plan leaves room for it"),
                          HasSubstr("STATIC_ATTNPRIO_ALLMODELS with 1 layer pinned"),
                          HasSubstr(" 63 generated)"),
                          Not(HasSubstr("computed on the CPU"))))
            << kind;
    }
}

TEST_F(DraftingRuns, WithAProjectorBesideAKeptPlan) {
    const std::string model = random_model("llama", "Q8_0");
    const std::string projector = folder_.file("mmproj.gguf");
    write_random_projector(projector, "llama");
    const std::string log = log_as_stock(launched(model, 520, {"-mm", projector, "-np", "4"}),
                                         stock(model, {"--mmproj", projector, "-np", "4"}),
                                         seeing_talk);
    EXPECT_THAT(
        log,
        AllOf(HasSubstr("the projector (--mmproj)"), HasSubstr(kKept), Not(HasSubstr("is off"))));
}

// A batch that checks drafts runs by a plan of its own, which moves nothing: without it each ran by
// the plan of the largest batches, and back.
TEST_F(DraftingRuns, InTheProcessHaveATierForWhatIsChecked) {
    const std::string model = hybrid();
    ChildProgram ours = llama_program("llama-server", model, "PSHARD0").with(kContext);
    ours.with({"--spec-type", "draft-mtp", "-np", "1"});
    ours.environment = {{"GGML_BACKEND_PATH", PSHARD_PLUGIN_PATH},
                        {"PSHARD_DEVICE", "CPU"},
                        {"PSHARD_MAX_VRAM_ALLOC", "30"},
                        {"PSHARD_TRACE", folder_.file("trace")}};
    const Told told = told_by(ours, short_talk);
    EXPECT_EQ(told.talk,
              told_by(stock(model, {"--spec-type", "draft-mtp", "-np", "1"}), short_talk).talk);
    EXPECT_THAT(told.log, HasSubstr("plan up to 4 tokens"));
    const std::regex moves("plan switch to the tier of (4|512) tokens: [1-9]");
    const std::ptrdiff_t n_moves = std::distance(
        std::sregex_iterator(told.log.begin(), told.log.end(), moves), std::sregex_iterator());
    EXPECT_LE(n_moves, 6) << told.log;  // there and back for each prompt
}

}  // namespace
}  // namespace pshard::backend_test
