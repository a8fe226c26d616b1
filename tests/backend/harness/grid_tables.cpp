// The rows of the grid.
#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "backend/harness/grid.h"
#include "base/result.h"
#include "build_paths.h"

namespace pshard::backend_test {
namespace {

namespace fs = std::filesystem;

// Where Debian's mesa-vulkan-drivers describes lavapipe to the Vulkan loader.
constexpr auto kLavapipe = "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json";

InnerDevice cpu_device() {
    return {.name = "cpu",
            .stock_name = "none",
            .inner = {{"PSHARD_DEVICE", "CPU"}},
            .common_flags = {"--no-repack"}};
}

InnerDevice simgpu_device() {
    InnerDevice device{.name = "simgpu",
                       .stock_name = "SIM0",
                       .stock = {{"GGML_BACKEND_PATH", PSHARD_SIMGPU_BACKEND}},
                       .inner = {{"PSHARD_DEVICE", PSHARD_SIMGPU_BACKEND}}};
    if (!fs::exists(PSHARD_SIMGPU_BACKEND)) device.missing = "libggml-simgpu.so was not built";
    return device;
}

InnerDevice vulkan_device(bool fuses) {
    Environment driver = {{"VK_DRIVER_FILES", kLavapipe},
                          {"GGML_VK_VISIBLE_DEVICES", "0"},
                          {"LD_PRELOAD", PSHARD_KEEP_BUFFERS}};
    if (!fuses) {
        driver["GGML_VK_DISABLE_FUSION"] = "1";
        driver["GGML_VK_DISABLE_GRAPH_OPTIMIZE"] = "1";
    }
    InnerDevice device{.name = fuses ? "vulkan-fused" : "vulkan",
                       .stock_name = "Vulkan0",
                       .stock = driver,
                       .inner = driver,
                       .as_cpu = false,
                       .fuses = fuses,
                       .limit_seconds = 300};
    device.stock["GGML_BACKEND_PATH"] = PSHARD_VULKAN_BACKEND;
    device.inner["PSHARD_DEVICE"] = PSHARD_VULKAN_BACKEND;
    if (!fs::exists(PSHARD_VULKAN_BACKEND)) device.missing = "the Vulkan backend was not fetched";
    if (!fs::exists(kLavapipe)) device.missing = "no lavapipe: run scripts/setup";
    return device;
}

Environment forced(const std::string& strategy) { return {{"PSHARD_STRATEGY", strategy}}; }

template <typename Row>
const Row& row_of(const std::vector<Row>& rows, const std::string& name, auto name_of) {
    const auto row = std::ranges::find_if(rows, [&](const Row& r) { return name_of(r) == name; });
    PSHARD_CHECK(row != rows.end());
    return *row;
}

}  // namespace

const std::vector<std::string>& inner_device_names() {
    static const std::vector<std::string> names = {"cpu", "simgpu", "vulkan", "vulkan-fused"};
    return names;
}

InnerDevice inner_device(const std::string& name) {
    if (name == "cpu") return cpu_device();
    if (name == "simgpu") return simgpu_device();
    PSHARD_CHECK(name.starts_with("vulkan"));
    return vulkan_device(name == "vulkan-fused");
}

std::string ModelRow::name() const {
    return arch + "-" + quant + (n_split > 1 ? fmt::format("-in-{}", n_split) : "");
}

const std::vector<ModelRow>& all_models() {
    static const std::vector<ModelRow> rows = {
        {"llama", "Q8_0"},         {"gemma3", "Q8_0"},  // sliding windows, tied head
        {"qwen3moe", "Q8_0"},                           // experts
        {"gpt-oss", "Q8_0"},                            // experts, sliding windows, sinks, biases
        {"qwen3next", "Q8_0"},                          // recurrent layers, experts
        {"qwen35moe", "Q8_0"},  // recurrent layers that can be rolled back, M-RoPE, experts
        {"deepseek2", "Q8_0"},  // MLA, experts, a dense first layer
        {"mistral4", "Q8_0"},   // down projections that no GPU computes
        {"llama", "Q4_0"},         {"llama", "F16"},
        {"llama", "BF16"},         {"qwen3moe", "Q4_K_M"},
        {"gpt-oss", "MXFP4"},      {"glm4moe", "Q8_0"},  // shared experts, MTP layer
        {"granitehybrid", "Q8_0"},                       // Mamba2, experts
        {"nemotron_h", "Q8_0"},                          // layers of one side alone
        {"command-r", "Q8_0"},                           // attention and FFN in parallel
        {"llama", "Q8_0", 5},      {"qwen3moe", "Q8_0", 3},
    };
    return rows;
}

const std::vector<ScenarioRow>& all_scenarios() {
    static const std::vector<ScenarioRow> rows = {
        ScenarioRow::plain("decode"),
        ScenarioRow::plain("brief"),
        ScenarioRow::plain("long-prompt"),
        ScenarioRow::plain("np4"),
        ScenarioRow::plain("kshift"),
        ScenarioRow::plain("seq-cp"),
        ScenarioRow::plain("state"),
        ScenarioRow::plain("state-seq"),
        ScenarioRow::plain("two-contexts"),
        ScenarioRow::plain("two-models"),
        ScenarioRow::plain("lora"),
        ScenarioRow::plain("control-vector"),
        ScenarioRow::plain("embeddings"),
        ScenarioRow::plain("eval-callback"),
        ScenarioRow::plain("abort"),
        ScenarioRow::plain("abort-kshift"),
        {"mtp", {"--scenario", "mtp", "--mtp"}},
        {"np4-unified", {"--scenario", "np4", "-kvu"}},
        {"seq-cp-unified", {"--scenario", "seq-cp", "-kvu"}},
        {"kv-q8_0", {"--scenario", "decode", "-ctk", "q8_0", "-ctv", "q8_0", "-fa", "on"}},
        {"kv-iq4_nl", {"--scenario", "decode", "-ctk", "iq4_nl", "-ctv", "iq4_nl", "-fa", "on"}},
        {"fa-off", {"--scenario", "decode", "-fa", "off"}},
        {"no-mmap", {"--scenario", "brief", "--load-mode", "none"}},
        {"no-mmap-two-models", {"--scenario", "two-models", "--load-mode", "none"}},
        {"one-ubatch", {"--scenario", "long-prompt", "-ub", "512"}},
        {"two-threads", {"--scenario", "brief", "--threads", "2"}},
        // `-fa auto` chooses by where the layers lie: otherwise than stock on the CPU alone.
        {"ngl-2", {"--scenario", "brief", "-ngl", "2", "-fa", "on"}},
        {"nkvo", {"--scenario", "brief", "-nkvo", "-fa", "on"}},
        {"ot-cpu", {"--scenario", "brief", "-ot", "blk\\.1\\.ffn_(up|down|gate).*"}},
        {"ot-cpu-attn", {"--scenario", "brief", "-ot", "blk\\.[0-3]\\.attn_.*"}},
        {"swa-full", {"--scenario", "decode", "--swa-full"}},
    };
    return rows;
}

const std::vector<PlanRow>& all_plans() {
    static const std::vector<PlanRow> rows = {
        {"resident", {}, true},
        {"stream-all", forced("0:0"), true},
        {"slices", forced("0:0+slices"), true},
        {"layers-1", forced("0:1"), true},
        {"attn-1", forced("1:1"), true},
        {"ffn-cpu-1", forced("2:1")},
        {"static-1", forced("3:1")},
        {"rotate", {{"PSHARD_STRATEGY", "0:0;1:1;2:1;3:2;0:2"}, {"PSHARD_ROTATE", "3"}}},
    };
    return rows;
}

const ModelRow& model_row(const std::string& name) {
    return row_of(all_models(), name, [](const ModelRow& row) { return row.name(); });
}

const ScenarioRow& scenario_row(const std::string& name) {
    return row_of(all_scenarios(), name, [](const ScenarioRow& row) { return row.name; });
}

const PlanRow& plan_row(const std::string& name) {
    return row_of(all_plans(), name, [](const PlanRow& row) { return row.name; });
}

Environment pshard_environment(const InnerDevice& device, const PlanRow& plan) {
    Environment environment = device.inner;
    environment["GGML_BACKEND_PATH"] = PSHARD_PLUGIN_PATH;
    environment["PSHARD_CHECK"] = "1";  // a plan with a fault is refused by name, not seen in bits
    environment.insert(plan.environment.begin(), plan.environment.end());
    return environment;
}

std::string plugin_missing() {
    const std::string path = PSHARD_PLUGIN_PATH;
    if (path.empty()) return "this build does not make it";
    return fs::exists(path) ? "" : path + " is not there";
}

}  // namespace pshard::backend_test
