// pshard-make-model: model files to plan for (sparse, full size) and to run (random, small).
#include <filesystem>
#include <limits>
#include <string>
#include <system_error>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include "base/visible.h"
#include "common/command_line.h"
#include "common/log.h"
#include "common/manual.h"
#include "common/output.h"
#include "models/shapes.h"

namespace {

namespace fs = std::filesystem;
using pshard::ModelShape;
using pshard::tool::fail;
using pshard::tool::whole_number;

struct Options {
    bool list = false;
    std::string model;
    std::string random_arch;
    std::string output;
    std::string quant;
    pshard::Splits splits;
    std::uint64_t seed = 1;
    pshard::TinySizes sizes;
    bool force = false;
};

std::string manual_of(const CLI::App& app) {
    pshard::tool::Manual manual;
    manual.name = "pshard-make-model";
    manual.purpose = "writes model files: full-size without weights, or small random ones";
    manual.synopsis = {
        "pshard-make-model MODEL -o PATH [--quant TYPE] [--split N [--no-tensor-first-split]] "
        "[--force]",
        "pshard-make-model --random ARCH -o PATH [FLAG]...",
        "pshard-make-model --list"};
    manual.description = {
        "MODEL is a real shape (--list), written over a hole in the file: as large as the real "
        "one, with no weights, to plan for. Small random models of an architecture can be run. "
        "Files that are there stay, unless --force is given."};
    manual.options = pshard::tool::option_groups(app);
    manual.exit_status = {{"0", "written"}, {"1", "an error"}, {"2", "no model was named"}};
    manual.examples = {{"pshard-make-model Llama-3.3-70B --quant Q4_K_M -o big.gguf",
                        "42 GB that take no room on the disk"},
                       {"pshard-make-model --random llama --quant Q4_0 -o small.gguf",
                        "a model that llama.cpp runs"}};
    manual.see_also = "llama-pshard-plan-params(1)";
    return pshard::tool::manual_text(manual);
}

// llama.cpp's own limits for layers and experts (llama-hparams.h, v0.5.0); of the rest, more than
// any model has.
constexpr std::uint64_t kMostWidth = 1 << 17;
constexpr std::uint64_t kMostFiles = 1000;

// Adds the flags for sizes, of random models alone: real models have their own.
void add_sizes(CLI::App& app, CLI::Option* random, pshard::TinySizes& sizes) {
    const auto add = [&](const char* name, int& size, std::uint64_t most, const char* what) {
        app.add_option(name, size, fmt::format("random models: {}", what))
            ->check(whole_number(1, most))
            ->needs(random);
    };
    add("--layers", sizes.n_layer, 512, "layers");
    add("--nextn", sizes.n_nextn, 512, "MTP layers behind them; of glm4moe and qwen35moe");
    add("--embd", sizes.n_embd, kMostWidth, "width; heads that are not given grow with it");
    add("--ff", sizes.n_ff, kMostWidth, "width of the dense FFN");
    add("--heads", sizes.n_head, 1024, "attention heads");
    add("--heads-kv", sizes.n_head_kv, 1024, "KV heads");
    add("--vocab", sizes.n_vocab, 1 << 20, "tokens");
    add("--experts", sizes.n_expert, 1024, "experts");
    add("--experts-used", sizes.n_expert_used, 1024, "experts per token");
    add("--ff-expert", sizes.n_ff_expert, kMostWidth, "width of an expert");
}

void add_options(CLI::App& app, Options& options) {
    app.add_flag("--list", options.list, "list the known models and architectures");
    app.add_option("model", options.model, "write this model at full size, without weights");
    CLI::Option* random =
        app.add_option("--random", options.random_arch, "write a small random model of this arch");
    app.add_option("-o,--output", options.output, "a .gguf file, or a folder for NAME-QUANT.gguf");
    app.add_option("--quant",
                   options.quant,
                   fmt::format("{} (default: MXFP4 for gpt-oss, else Q4_K_M)",
                               fmt::join(pshard::quant_names(), ", ")));
    CLI::Option* split =
        app.add_option("--split", options.splits.count, "write N files, NAME-00001-of-0000N.gguf")
            ->check(whole_number(1, kMostFiles));
    app.add_flag("--no-tensor-first-split",
                 options.splits.first_is_stub,
                 "the first of them holds no tensor")
        ->needs(split);
    app.add_flag("--force", options.force, "write over files that are there");
    app.add_option("--seed", options.seed, "random models: the seed of the weights (default 1)")
        ->check(whole_number(0, std::numeric_limits<std::int64_t>::max()))
        ->needs(random);
    add_sizes(app, random, options.sizes);
}

std::string list_text() {
    constexpr const char* kRow = "{:20} {:14} {:>6} {:>6} {:>7} {:>7}  {}\n";
    std::string text = fmt::format(
        fmt::runtime(kRow), "model", "arch", "layers", "embd", "experts", "vocab", "source");
    for (const ModelShape& shape : pshard::known_shapes()) {
        text += fmt::format(fmt::runtime(kRow),
                            shape.name,
                            shape.arch,
                            shape.n_layer,
                            shape.n_embd,
                            shape.moe.n_expert,
                            shape.n_vocab,
                            shape.source);
    }
    text += "\narchitectures for --random:";
    for (const ModelShape& shape : pshard::tiny_shapes()) text += " " + shape.arch;
    return text + fmt::format("\nquantizations: {}\n", fmt::join(pshard::quant_names(), " "));
}

// The file to write. A name without ".gguf" is a folder, which is made if it is not there.
pshard::Result<fs::path> output_file(const Options& options,
                                     const ModelShape& shape,
                                     const std::string& quant) {
    const fs::path path = options.output;
    if (path.extension() == ".gguf") {
        return path;
    }
    std::error_code code;
    fs::create_directories(path, code);
    if (code) {
        return pshard::Error{
            fmt::format("cannot make folder '{}': {}", path.string(), code.message()), {}};
    }
    return path / fmt::format("{}-{}.gguf", shape.name, quant);
}

pshard::Result<ModelShape> shape_of(const Options& options) {
    if (options.random_arch.empty()) return pshard::find_shape(options.model);
    pshard::Result<ModelShape> tiny = pshard::find_tiny_shape(options.random_arch);
    if (!tiny) return tiny;
    const pshard::TinySizes& sizes = options.sizes;
    const bool experts = sizes.n_expert > 0 || sizes.n_expert_used > 0 || sizes.n_ff_expert > 0;
    if (experts && tiny.value().moe.n_expert == 0) {
        return pshard::Error{fmt::format("--experts, --experts-used, --ff-expert: models of {} "
                                         "have none",
                                         options.random_arch),
                             {}};
    }
    return pshard::resized(tiny.value(), sizes);
}

// With `force`, files may be there, but nothing else: to open a pipe waits for its reader.
pshard::Status check_absent(const std::vector<fs::path>& files, bool force) {
    for (const fs::path& file : files) {
        std::error_code ignored;
        if (!fs::exists(file, ignored)) continue;
        if (force && fs::is_regular_file(file, ignored)) continue;
        if (force) {
            return pshard::Error{"is no file that --force could write over", {file.string()}};
        }
        return pshard::Error{"is there already; --force writes over it", {file.string()}};
    }
    return pshard::Done{};
}

pshard::Result<pshard::WrittenModel> make(const Options& options) {
    const pshard::Result<ModelShape> found = shape_of(options);
    if (!found) {
        return found.error();
    }
    const ModelShape& shape = found.value();
    std::string quant = options.quant;
    if (quant.empty()) {
        quant = shape.arch == "gpt-oss" ? "MXFP4" : "Q4_K_M";
    }
    const pshard::Result<fs::path> path = output_file(options, shape, quant);
    if (!path) {
        return path.error();
    }
    const auto files = pshard::model_paths(path.value(), options.splits.count);
    if (const pshard::Status absent = check_absent(files, options.force); !absent) {
        return absent.error();
    }
    if (!options.random_arch.empty()) {
        return pshard::write_random(shape, quant, path.value(), options.seed, options.splits);
    }
    return pshard::write_sparse(shape, quant, path.value(), options.splits);
}

int run(int argc, char** argv) {
    Options options;
    CLI::App app;
    app.set_version_flag("--version", "pshard-make-model " PSHARD_VERSION);
    add_options(app, options);
    const auto early = pshard::tool::parse(
        app, pshard::tool::arguments_of(argc, argv), [&] { return manual_of(app); });
    if (early) return end_early(*early);
    if (options.list) return pshard::tool::print(list_text(), 0);
    if (options.model.empty() == options.random_arch.empty() || options.output.empty()) {
        pshard::tool::log_line("name a model or --random ARCH, and -o; see --help");
        return 2;
    }
    const auto written = make(options);
    if (!written) {
        return fail(written.error().text());
    }
    std::string text;
    for (const fs::path& file : written.value().files)
        text += pshard::visible(file.string()) + "\n";
    text += fmt::format("{:.2f} GB\n", static_cast<double>(written.value().bytes) / 1e9);
    return pshard::tool::print(text, 0, "; the model was written");
}

}  // namespace

int main(int argc, char** argv) {
    return pshard::tool::guarded([&] { return run(argc, argv); });
}
