#include "fakecuda/host_cells.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <unistd.h>

#include <fmt/format.h>

#include "backend/harness/grid.h"
#include "backend/harness/session.h"
#include "build_paths.h"
#include "models/shapes.h"

namespace pshard::backend_test {
namespace {

namespace fs = std::filesystem;

constexpr int kSeconds = 120;
constexpr double kMiB = 1 << 20;

// A pool's granule, which graphs may take after PSHARD0 has told.
constexpr double kTolerated = 2 * kMiB;

const std::map<std::string, std::vector<std::string>>& attentions() {
    static const std::map<std::string, std::vector<std::string>> flags = {
        {"fa-f16", {"-fa", "on"}},
        {"fa-q8_0", {"-fa", "on", "-ctk", "q8_0", "-ctv", "q8_0"}},
        {"f16", {"-fa", "off"}},
        {"q8_0-f16", {"-fa", "off", "-ctk", "q8_0"}}};
    return flags;
}

// Written once for this process.
std::string model_of(const HostCell& cell) {
    static std::map<std::string, std::string> models;
    std::string& file = models[cell.arch + cell.quant];
    if (file.empty()) {
        static Grid grid{inner_device("cpu")};
        file = grid.model_file({cell.arch, cell.quant});
    }
    return file;
}

// Of a quantization that CUDA has no kernel for, too.
std::vector<HostCell> models_of_cells() {
    std::vector<HostCell> models;
    for (const ModelShape& shape : tiny_shapes()) models.push_back({.arch = shape.arch});
    models.push_back({.arch = "llama", .quant = "TQ2_0"});
    return models;
}

Environment environment_of(const HostCell& cell, const Environment& more) {
    Environment environment;
    if (cell.plan == "stock") {
        environment = {{"GGML_BACKEND_PATH", PSHARD_FAKECUDA_BACKEND}};
    } else {
        InnerDevice inner{.name = "cuda", .stock_name = "CUDA0"};
        inner.inner["PSHARD_DEVICE"] =
            fmt::format("{}:CUDA{}", PSHARD_FAKECUDA_BACKEND, cell.device);
        environment = pshard_environment(inner, plan_row(cell.plan));
    }
    environment["FAKECUDA_DEVICES"] = std::to_string(cell.device + 1);
    environment["GGML_NO_BACKTRACE"] = "1";
    for (const auto& [name, value] : more) environment[name] = value;
    return environment;
}

void read_steps(HostResult& result) {
    std::istringstream lines(result.child.out);
    std::string what;
    std::string name;
    double value = 0;
    while (lines >> what >> name >> value)
        (what == "prompt" ? result.prompt : result.decode)[name] = value;
}

void read_report(HostResult& result, const std::string& file) {
    std::ifstream lines(file);
    for (std::string line; std::getline(lines, line);) {
        const bool two_words = line.starts_with("peak ") || line.starts_with("context ");
        const std::size_t space = line.find(' ', two_words ? line.find(' ') + 1 : 0);
        if (line.starts_with("fault ")) result.faults.push_back(line.substr(space + 1));
        result.report[line.substr(0, space)] = line.substr(space + 1);
    }
}

}  // namespace

std::string HostCell::name() const {
    return fmt::format("{} {} {} {} {} CUDA{}", arch, quant, plan, attention, load_mode, device);
}

std::vector<HostCell> all_host_cells() {
    std::vector<HostCell> cells;
    for (HostCell cell : models_of_cells()) {
        for (const PlanRow& plan : all_plans()) {
            cell.plan = plan.name;
            for (const auto& [attention, flags] : attentions()) {
                cell.attention = attention;
                for (const char* load_mode : {"auto", "mmap", "none"}) {
                    cell.load_mode = load_mode;
                    for (cell.device = 0; cell.device < 2; ++cell.device) cells.push_back(cell);
                }
            }
        }
    }
    return cells;
}

// Steps of a number that has no factor in common with the rows, so that a sample is mixed in all of
// them.
std::vector<HostCell> sample_of_host_cells(std::size_t n, std::size_t turn) {
    const std::vector<HostCell> all = all_host_cells();
    constexpr std::size_t kStep = 1009;
    std::vector<HostCell> sample;
    for (std::size_t i = 0; i < n; ++i)
        sample.push_back(all[(turn * n + i) % all.size() * kStep % all.size()]);
    return sample;
}

std::string HostResult::peak_text() const {
    const auto found = report.find("peak 0");
    return found == report.end() ? "-" : found->second;
}

// "pshard: device memory: 9.7 MiB in the arena, 2.5 outside it (...)"; a run that is too short
// tells nothing.
double HostResult::bytes_above_what_was_told() const {
    const std::size_t at = child.err.find("device memory: ");
    if (at == std::string::npos) return 0;
    double arena = 0;
    double outside = 0;
    const char* line = child.err.c_str() + at;
    if (std::sscanf(line, "device memory: %lf MiB in the arena, %lf outside", &arena, &outside) !=
        2)
        return 0;
    return bytes_in_all() - (arena + outside) * kMiB;
}

double HostResult::bytes_in_all() const {
    double most = 0;
    for (const char* device : {"peak 0", "peak 1"}) {
        const auto found = report.find(device);
        if (found == report.end()) continue;
        std::istringstream kinds(found->second);
        double buffers = 0;
        double pools = 0;
        double graphs = 0;
        kinds >> buffers >> pools >> graphs;
        most = std::max(most, buffers + pools + graphs);
    }
    return most;
}

std::string HostResult::problem() const {
    // llama.cpp's own words for what it cannot do.
    if (child.err.find("model does not support different K") != std::string::npos) return "";
    if (!child.ok()) return child.text() + "\n" + command;
    if (report.empty()) return "the fake wrote no report\n" + command;
    return faults.empty()
               ? ""
               : fmt::format(
                     "{} faults, the first: {}\n{}", faults.size(), faults.front(), command);
}

HostResult run_host_cell(const HostCell& cell, const Environment& more) {
    const std::string report = fmt::format("{}.{}.report", PSHARD_HOST_RUN, getpid());
    ChildProgram program;
    const std::string device =
        cell.plan == "stock" ? fmt::format("CUDA{}", cell.device) : "PSHARD0";
    program.command = {PSHARD_HOST_RUN};
    if (!cell.exit.empty()) program.with({"--exit", cell.exit});
    const std::string model = cell.file.empty() ? model_of(cell) : cell.file;
    program.with({"--model", model, "--device", device});
    program.with({"--load-mode", cell.load_mode, "--steps", "12"})
        .with(attentions().at(cell.attention))
        .with(cell.flags);
    program.environment = environment_of(cell, more);
    program.environment["FAKECUDA_REPORT"] = report;
    program.limit_seconds = kSeconds;
    HostResult result{.child = run(program), .command = program.shell_line()};
    read_steps(result);
    read_report(result, report);
    fs::remove(report);
    return result;
}

std::string host_cells_missing() {
    const std::string backend = PSHARD_FAKECUDA_BACKEND;
    if (backend.empty() || !fs::exists(backend)) return "ggml's CUDA backend was not fetched";
    return plugin_missing();
}

}  // namespace pshard::backend_test
