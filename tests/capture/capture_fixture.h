// Captures of models that the shapes library makes.
#pragma once

#include "build_paths.h"
#include "capture/capture.h"
#include "models/shapes.h"
#include "models/stock_llama.h"
#include "support/testing.h"

namespace pshard {

inline ContextSpec small_context() {
    ContextSpec context;
    context.n_ctx = 2048;
    context.n_ubatch = 512;
    context.output_use = OutputUse::Cli;
    return context;
}

inline CaptureRequest request_for(const std::string& path, const ContextSpec& context) {
    CaptureRequest request;
    request.model_path = path;
    request.context = context;
    request.tiers = {1, 16, 512};
    request.backend_dir = PSHARD_LLAMA_BIN_DIR;
    return request;
}

// Writes models into a folder of the test, and captures them.
class CaptureTest : public testing::Test {
protected:
    // The header of a small model of the architecture, changed by `change`.
    template <typename Change>
    std::string tiny(const std::string& arch, Change change, const std::string& quant = "Q4_K_M") {
        Result<ModelShape> shape = find_tiny_shape(arch);
        EXPECT_TRUE(shape.ok());
        change(shape.value());
        const std::string path = dir_ / (arch + ".gguf");
        const auto written = write_sparse(shape.value(), quant, path);
        EXPECT_TRUE(written.ok()) << written.error().text();
        return path;
    }

    std::string tiny(const std::string& arch) {
        return tiny(arch, [](ModelShape&) {});
    }

    std::string known(const std::string& name) {
        const Result<ModelShape> shape = find_shape(name);
        EXPECT_TRUE(shape.ok());
        const std::string path = dir_ / (name + ".gguf");
        const std::string quant =
            shape.ok() && shape.value().arch == "gpt-oss" ? "MXFP4" : "Q4_K_M";
        EXPECT_TRUE(write_sparse(shape.value(), quant, path).ok());
        return path;
    }

    static Inventory captured(const CaptureRequest& request) {
        Result<Inventory> inventory = capture_inventory(request);
        EXPECT_TRUE(inventory.ok()) << inventory.error().text();
        return inventory.ok() ? std::move(inventory).value() : Inventory{};
    }

    static Inventory captured(const std::string& path, const ContextSpec& context) {
        return captured(request_for(path, context));
    }

    test::TempFolder dir_;
};

}  // namespace pshard
