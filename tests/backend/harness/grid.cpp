#include "backend/harness/grid.h"

#include <filesystem>

#include <unistd.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "backend/harness/cpu_layouts.h"
#include "backend/harness/session.h"
#include "build_paths.h"
#include "models/shapes.h"

namespace pshard::backend_test {
namespace {

namespace fs = std::filesystem;

// Where other kernels computed a part of the graph. Loose, as random weights amplify rounding: how
// flash attention is split among threads alone gives up to 6e-3. A wrong weight gives about 1.
constexpr double kCloseNmse = 2e-2;

fs::path work_folder() { return fs::path(PSHARD_LOGITS_RUN).parent_path() / "backend-runs"; }

// Written anew by each process, so that it is never of another version; each name changes hands in
// one step, so that tests may run at the same time.
std::vector<std::string> written_model(const ModelRow& model) {
    const fs::path folder = work_folder() / fmt::format("{}", getpid());
    fs::create_directories(folder);
    const Result<ModelShape> shape = find_tiny_shape(model.arch);
    PSHARD_CHECK(shape.ok());
    const Result<WrittenModel> written = write_random(
        shape.value(), model.quant, folder / (model.name() + ".gguf"), 1, {model.n_split});
    PSHARD_CHECK(written.ok());
    std::vector<std::string> files;
    for (const fs::path& file : written.value().files) {
        files.push_back(work_folder() / file.filename());
        fs::rename(file, files.back());
    }
    fs::remove(folder);
    return files;
}

}  // namespace

const char* outcome_name(Outcome outcome) {
    switch (outcome) {
        case Outcome::Identical:
            return "identical";
        case Outcome::Close:
            return "close";
        case Outcome::Different:
            return "DIFFERENT";
        case Outcome::Failed:
            return "FAILED";
        case Outcome::Unsupported:
            return "unsupported";
    }
    return "?";
}

Grid::Grid(const InnerDevice& device) : device_(device) {}

const std::vector<std::string>& Grid::model_files(const ModelRow& model) {
    std::vector<std::string>& files = models_[model.name()];
    if (files.empty()) files = written_model(model);
    return files;
}

Grid::Run Grid::run_program(const ModelRow& model,
                            const ScenarioRow& scenario,
                            const Environment& environment,
                            const std::vector<std::string>& flags) {
    const std::string out = work_folder() / fmt::format("{}.records", getpid());
    Run run;
    run.program.command = {PSHARD_LOGITS_RUN, "--model", model_file(model), "--out", out};
    run.program.with(scenario.flags).with(device_.common_flags).with(flags);
    run.program.environment = environment;
    run.program.environment["GGML_NO_BACKTRACE"] = "1";  // a second, and it hides the message
    run.program.limit_seconds = device_.limit_seconds;
    run.result = backend_test::run(run.program);
    if (run.result.ok()) {
        Result<Records> records = read_records(out);
        if (records) run.records = std::move(records).value();
    }
    fs::remove(out);
    return run;
}

const Grid::Run& Grid::stock(const ModelRow& model, const ScenarioRow& scenario) {
    const std::string key = model.name() + " " + scenario.name;
    const auto known = stock_.find(key);
    if (known != stock_.end()) return known->second;
    Run run = run_program(model, scenario, device_.stock, {"--device", device_.stock_name});
    return stock_.emplace(key, std::move(run)).first->second;
}

CellResult Grid::judge(const Run& expected, const Run& actual, bool exact) {
    CellResult cell;
    cell.seconds = actual.result.seconds;
    std::string what;
    if (expected.result.exit_code == kUnsupported) {
        cell.outcome = Outcome::Unsupported;
        cell.good = actual.result.exit_code == kUnsupported;
        if (!cell.good) what = "stock llama.cpp cannot do this, but: " + actual.result.text();
    } else if (!expected.result.ok() || expected.records.empty()) {
        what = "the stock run: " + expected.result.text();
    } else if (!actual.result.ok()) {
        what = actual.result.text();
    } else {
        const Comparison comparison = compare(expected.records, actual.records);
        const bool close = comparison.identical || comparison.nmse <= kCloseNmse;
        cell.outcome = comparison.identical ? Outcome::Identical
                       : close              ? Outcome::Close
                                            : Outcome::Different;
        cell.good = exact ? comparison.identical : close;
        what = comparison.text;
    }
    cell.text = fmt::format("{}\n  stock: {}\n  run:   {}",
                            what,
                            expected.program.shell_line(),
                            actual.program.shell_line());
    return cell;
}

bool Grid::has_own_layouts(const ModelRow& model) {
    static const auto with_own_layout = types_with_own_layout(PSHARD_LLAMA_BIN_DIR);
    PSHARD_CHECK(with_own_layout.has_value());
    return have_common(types_in(model_files(model)), *with_own_layout);
}

bool Grid::computes_as_stock(const ModelRow& model, const PlanRow& plan) {
    if (device_.fuses) return false;
    return plan.gpu_only || (device_.as_cpu && !has_own_layouts(model));
}

CellResult Grid::run(const ModelRow& model, const ScenarioRow& scenario, const PlanRow& plan) {
    const bool exact = computes_as_stock(model, plan);
    const Run& expected = stock(model, scenario);
    const Run actual =
        run_program(model, scenario, pshard_environment(device_, plan), {"--device", "PSHARD0"});
    return judge(expected, actual, exact);
}

CellResult Grid::run_stock(const ModelRow& model,
                           const ScenarioRow& scenario,
                           const std::vector<std::string>& other_flags) {
    std::vector<std::string> flags = {"--device", device_.stock_name};
    flags.insert(flags.end(), other_flags.begin(), other_flags.end());
    const Run& expected = stock(model, scenario);
    return judge(expected, run_program(model, scenario, device_.stock, flags), true);
}

}  // namespace pshard::backend_test
