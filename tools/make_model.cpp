// pshard-make-model: model files to plan for (sparse, full size) and to run (random, small).
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include "common/manual.h"
#include "shapes/shapes.h"

namespace {

namespace fs = std::filesystem;
using pshard::ModelShape;

struct Options {
    bool list = false;
    std::string model;
    std::string random_arch;
    std::string output;
    std::string quant;
    int n_split = 1;
    std::uint64_t seed = 1;
    pshard::TinySizes sizes;
};

std::string manual_of(const CLI::App& app) {
    pshard::tool::Manual manual;
    manual.name = "pshard-make-model";
    manual.purpose = "writes model files: full-size without weights, or small random ones";
    manual.synopsis = {"pshard-make-model MODEL -o PATH [--quant TYPE] [--split N]",
                       "pshard-make-model --random ARCH -o PATH [FLAG]...",
                       "pshard-make-model --list"};
    manual.description = {
        "MODEL is a real shape (--list), written over a hole in the file: as large as the real "
        "one, with no weights, to plan for. Small random models of an architecture can be run."};
    manual.options = pshard::tool::option_groups(app);
    manual.exit_status = {{"0", "written"}, {"1", "an error"}, {"2", "no model was named"}};
    manual.examples = {{"pshard-make-model Llama-3.3-70B --quant Q4_K_M -o big.gguf",
                        "42 GB that take no room on the disk"},
                       {"pshard-make-model --random llama --quant Q4_0 -o small.gguf",
                        "a model that llama.cpp runs"}};
    manual.see_also = "llama-pshard-plan-params(1)";
    return pshard::tool::manual_text(manual);
}

void add_options(CLI::App& app, Options& options) {
    app.add_flag("--list", options.list, "list the known models and architectures");
    app.add_option("model", options.model, "write this model at full size, without weights");
    app.add_option("--random", options.random_arch, "write a small random model of this arch");
    app.add_option("-o,--output", options.output, "a .gguf file, or a folder for NAME-QUANT.gguf");
    app.add_option("--quant",
                   options.quant,
                   fmt::format("{} (default: MXFP4 for gpt-oss, else Q4_K_M)",
                               fmt::join(pshard::quant_names(), ", ")));
    app.add_option("--split", options.n_split, "write N files, NAME-00001-of-0000N.gguf ...");
    app.add_option("--seed", options.seed, "random models: the seed of the weights (default 1)");
    app.add_option("--layers", options.sizes.n_layer, "random models: layers");
    app.add_option("--embd", options.sizes.n_embd, "random models: width");
    app.add_option("--ff", options.sizes.n_ff, "random models: width of the dense FFN");
    app.add_option("--heads", options.sizes.n_head, "random models: attention heads");
    app.add_option("--heads-kv", options.sizes.n_head_kv, "random models: KV heads");
    app.add_option("--vocab", options.sizes.n_vocab, "random models: tokens");
    app.add_option("--experts", options.sizes.n_expert, "random models: experts");
    app.add_option(
        "--experts-used", options.sizes.n_expert_used, "random models: experts per token");
    app.add_option("--ff-expert", options.sizes.n_ff_expert, "random models: width of an expert");
}

void print_list() {
    fmt::print("{:20} {:14} {:>6} {:>6} {:>7} {:>7}  {}\n",
               "model",
               "arch",
               "layers",
               "embd",
               "experts",
               "vocab",
               "source");
    for (const ModelShape& shape : pshard::known_shapes()) {
        fmt::print("{:20} {:14} {:>6} {:>6} {:>7} {:>7}  {}\n",
                   shape.name,
                   shape.arch,
                   shape.n_layer,
                   shape.n_embd,
                   shape.moe.n_expert,
                   shape.n_vocab,
                   shape.source);
    }
    fmt::print("\narchitectures for --random:");
    for (const ModelShape& shape : pshard::tiny_shapes()) {
        fmt::print(" {}", shape.arch);
    }
    fmt::print("\nquantizations: {}\n", fmt::join(pshard::quant_names(), " "));
}

// A name without ".gguf" is a folder; it is made if it is not there.
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

pshard::Result<pshard::WrittenModel> make(const Options& options) {
    const bool random = !options.random_arch.empty();
    const pshard::Result<ModelShape> found =
        random ? pshard::find_tiny_shape(options.random_arch) : pshard::find_shape(options.model);
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
    if (random) {
        return pshard::write_random(pshard::resized(shape, options.sizes),
                                    quant,
                                    path.value(),
                                    options.seed,
                                    options.n_split);
    }
    return pshard::write_sparse(shape, quant, path.value(), options.n_split);
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app;
    app.set_version_flag("--version", "pshard-make-model " PSHARD_VERSION);
    add_options(app, options);
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        fmt::print("{}", manual_of(app));
        return 0;
    } catch (const CLI::ParseError& error) {
        return app.exit(error);
    }
    if (options.list) {
        print_list();
        return 0;
    }
    if (options.model.empty() == options.random_arch.empty() || options.output.empty()) {
        fmt::print(stderr,
                   "pshard-make-model: name a model or --random ARCH, and -o; see --help\n");
        return 2;
    }
    const auto written = make(options);
    if (!written) {
        fmt::print(stderr, "pshard-make-model: {}\n", written.error().text());
        return 1;
    }
    for (const fs::path& file : written.value().files) {
        fmt::print("{}\n", file.string());
    }
    fmt::print("{:.2f} GB\n", static_cast<double>(written.value().bytes) / 1e9);
    return 0;
}
