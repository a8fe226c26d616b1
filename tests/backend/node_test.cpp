// PSHARD0 in the llama.cpp that npm carries prebuilt: a host loaded for node alone, whose libraries
// have other names than ours.
#include <filesystem>

#include "backend/harness/cpu_layouts.h"
#include "backend/harness/expect.h"
#include "build_paths.h"
#include "support/testing.h"

namespace pshard::backend_test {
namespace {

namespace fs = std::filesystem;

using testing::Optional;

#define PSHARD_NEEDS_NODE_HOST()                                                          \
    do {                                                                                  \
        PSHARD_NEEDS_PLUGIN();                                                            \
        PSHARD_NO_SANITIZER();                                                            \
        if (std::string(PSHARD_NODE_HOST).empty())                                        \
            GTEST_SKIP() << "needs node-llama-cpp: node is not installed, or no network " \
                            "when this build was configured";                             \
    } while (false)

const std::string kPackage = "node_modules/@node-llama-cpp/linux-x64";  // with the libraries

std::string libraries_in(const std::string& host) {
    return host + "/" + kPackage + "/bins/linux-x64";
}

// Links to what is in one folder, but for what `is_left_out`.
void mirror(const fs::path& from, const fs::path& to, auto is_left_out) {
    fs::create_directories(to);
    for (const fs::directory_entry& entry : fs::directory_iterator(from)) {
        const std::string name = entry.path().filename();
        std::error_code there_already;
        if (!is_left_out(name)) fs::create_symlink(entry.path(), to / name, there_already);
    }
}

// A folder with node-llama-cpp. npm's libraries have a CPU backend for each kind of x86 and take
// the best one; here they have that of one kind ("haswell"), or all ("best").
std::string host_with(const std::string& kind) {
    const fs::path all = PSHARD_NODE_HOST;
    if (kind == "best") return all;
    const fs::path host = fs::path(PSHARD_LOGITS_RUN).parent_path() / ("node-" + kind);
    const auto is_scope = [](const std::string& name) { return name == "@node-llama-cpp"; };
    const auto is_bins = [](const std::string& name) { return name == "bins"; };
    const auto is_other_kind = [&](const std::string& name) {
        return name.starts_with("libggml-cpu-") && name != "libggml-cpu-" + kind + ".so";
    };
    mirror(all / "node_modules", host / "node_modules", is_scope);
    mirror(all / kPackage, host / kPackage, is_bins);
    mirror(libraries_in(all), libraries_in(host), is_other_kind);
    return host;
}

// What is compared must be computed by the same kernels: stock keeps weights in the layouts of its
// CPU backend, and PSHARD0's "GPU" keeps them plain. So the first model, of those from the usual to
// the plain, that the backend has no other layout for. No backend has one for BF16 on x86.
const ModelRow* plain_model(Grid& grid, const TypeNames& with_own_layout) {
    for (const char* name : {"llama-Q4_0", "llama-Q8_0", "llama-BF16"}) {
        const ModelRow& model = model_row(name);
        if (!have_common(types_in(grid.model_files(model)), with_own_layout)) return &model;
    }
    return nullptr;
}

struct NodeRun {
    std::string host;
    std::string model_file;

    [[nodiscard]] ChildResult on(const std::string& gpu_layers,
                                 const Environment& environment) const {
        return run({.command = {PSHARD_NODE,
                                "--preserve-symlinks",
                                PSHARD_NODE_SCRIPT,
                                host,
                                model_file,
                                gpu_layers},
                    .environment = environment});
    }

    [[nodiscard]] ChildResult stock() const { return on("0", {}); }

    [[nodiscard]] ChildResult with(const PlanRow& plan) const {
        return on("99", pshard_environment(inner_device("cpu"), plan));
    }
};

struct NodeCase {
    std::string cpu;  // of host_with()
    std::string plan;
};

// For the messages of a failed test.
void PrintTo(const NodeCase& test, std::ostream* out) { *out << test.cpu << " " << test.plan; }

class NodeHostControl : public testing::Test {
protected:
    void SetUp() override { PSHARD_NEEDS_NODE_HOST(); }
};

class NodeHost : public NodeHostControl, public testing::WithParamInterface<NodeCase> {};

TEST_P(NodeHost, AnswersAsWithoutPshard) {
    const auto& [cpu, plan] = GetParam();
    const std::string host = host_with(cpu);
    const auto with_own_layout = types_with_own_layout(libraries_in(host));
    if (!with_own_layout) GTEST_SKIP() << "this CPU does not run libggml-cpu-" << cpu << ".so";
    Grid grid(inner_device("cpu"));
    const ModelRow* model = plain_model(grid, *with_own_layout);
    ASSERT_NE(model, nullptr) << "the CPU backend has layouts of its own for all types";
    SCOPED_TRACE(model->name());
    const NodeRun run{host, grid.model_file(*model)};
    const ChildResult stock = run.stock();
    const ChildResult ours = run.with(plan_row(plan));
    ASSERT_TRUE(stock.ok()) << stock.text();
    ASSERT_TRUE(ours.ok()) << ours.text();
    EXPECT_GT(stock.out.size(), 50) << stock.out;
    EXPECT_EQ(ours.out, stock.out) << ours.err;
    EXPECT_THAT(ours.err, HasSubstr("PSHARD0 computes on CPU"));
    if (plan == "rotate") return;  // does not tell its plans
    EXPECT_THAT(ours.err, HasSubstr("pshard: plan up to 64 tokens"));
}

INSTANTIATE_TEST_SUITE_P(Backend,
                         NodeHost,
                         Values(NodeCase{"best", "resident"},
                                NodeCase{"best", "stream-all"},
                                NodeCase{"best", "rotate"},
                                NodeCase{"sse42", "rotate"},
                                NodeCase{"haswell", "rotate"},
                                NodeCase{"icelake", "rotate"}),
                         test::NamedByParameter());

// The CPU backends of one host differ in what they keep otherwise, so nothing but asking tells.
TEST_F(NodeHostControl, BackendsOfOneHostHaveOtherLayouts) {
    const auto asked = [](const std::string& kind) {
        return types_with_own_layout(libraries_in(host_with(kind)));
    };
    EXPECT_THAT(asked("sse42"), Optional(IsEmpty()));
    const auto haswell = asked("haswell");
    if (!haswell) GTEST_SKIP() << "this CPU has no AVX2";
    EXPECT_THAT(*haswell, AllOf(Contains("q4_0"), Not(Contains("q2_K")), Not(Contains("q8_0"))));
}

// AMX has layouts for Q4_0, Q8_0 and F16 on machines that have it: BF16 is what is left.
TEST(PlainModel, IsChosenByWhatTheBackendHas) {
    Grid grid(inner_device("cpu"));
    EXPECT_EQ(plain_model(grid, {})->name(), "llama-Q4_0");
    EXPECT_EQ(plain_model(grid, {"q4_0", "q2_K"})->name(), "llama-Q8_0");
    EXPECT_EQ(plain_model(grid, {"q4_0", "q8_0", "f16"})->name(), "llama-BF16");
    EXPECT_EQ(plain_model(grid, {"q4_0", "q8_0", "bf16"}), nullptr);
}

// Why it is asked: stock computes Q4_0 otherwise with a layout of its own, and PSHARD0 as without.
TEST_F(NodeHostControl, AnotherLayoutAnswersOtherwise) {
    const std::string host = host_with("haswell");
    if (!types_with_own_layout(libraries_in(host))) GTEST_SKIP() << "this CPU has no AVX2";
    Grid grid(inner_device("cpu"));
    const NodeRun run{host, grid.model_file(model_row("llama-Q4_0"))};
    EXPECT_NE(run.with(plan_row("resident")).out, run.stock().out);
}

// The same run, if it streams, needs its uploads.
TEST_F(NodeHostControl, WithoutUploadsAnswersDiffer) {
    PlanRow plan = plan_row("stream-all");
    plan.environment["PSHARD_CHAOS"] = "no-upload";
    const std::string host = host_with("best");
    Grid grid(inner_device("cpu"));
    const ModelRow* model = plain_model(grid, *types_with_own_layout(libraries_in(host)));
    const NodeRun run{host, grid.model_file(*model)};
    EXPECT_NE(run.with(plan).out, run.stock().out);
}

}  // namespace
}  // namespace pshard::backend_test
