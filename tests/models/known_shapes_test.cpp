// Every known shape against what the public model is known to be, and against stock llama.cpp.
#include <sys/stat.h>

#include "models/shapes.h"
#include "stock_llama.h"
#include "support/testing.h"

namespace pshard {
namespace {

// What is public of a model: parameters by its card, bytes of a published GGUF file.
struct PublicModel {
    const char* name;
    double billion_params;
    const char* quant;
    double gigabytes;

    friend void PrintTo(const PublicModel& value, std::ostream* out) {
        *out << value.name << " " << value.quant;
    }
};

// Parameters: "Model size" of the source's page on huggingface.co (GLM with its MTP layer).
// Files: ggml-org (gpt-oss), bartowski, unsloth, lmstudio-community, on huggingface.co.
constexpr PublicModel kPublicModels[] = {
    {"Llama-3.2-3B", 3.21, "Q4_K_M", 2.02},
    {"Llama-3.1-8B", 8.03, "Q8_0", 8.54},
    {"Llama-3.1-8B", 8.03, "Q4_K_M", 4.92},
    {"Llama-3.3-70B", 70.6, "Q4_K_M", 42.52},
    {"Mistral-Small-24B", 23.6, "Q4_K_M", 14.33},
    {"Mistral-Large-123B", 122.6, "Q4_K_M", 73.22},
    {"Mixtral-8x7B", 46.7, "Q4_K_M", 28.45},
    {"Qwen2.5-72B", 72.7, "Q4_K_M", 47.42},
    {"Qwen3-8B", 8.19, "Q4_K_M", 5.03},
    {"Qwen3-32B", 32.8, "Q4_K_M", 19.76},
    {"Qwen3-32B", 32.8, "Q4_0", 18.6},
    {"Qwen3-30B-A3B", 30.5, "Q4_K_M", 18.56},
    {"Qwen3-235B-A22B", 235.1, "Q4_K_M", 142.2},
    {"Gemma-3-27B", 27.0, "Q4_K_M", 16.55},
    {"Phi-4", 14.7, "Q4_K_M", 9.05},
    {"Command-R-35B", 35.0, "Q4_K_M", 21.53},
    {"gpt-oss-20b", 20.9, "MXFP4", 12.11},
    {"gpt-oss-120b", 116.8, "MXFP4", 63.39},
    {"DeepSeek-V2-Lite", 15.7, "Q4_K_M", 10.36},
    {"DeepSeek-V3", 671.0, "Q4_K_M", 404.0},
    {"GLM-4.5-Air", 110.5, "Q4_K_M", 73.0},
    {"Llama-4-Scout", 107.8, "Q4_K_M", 65.4},
    {"Qwen3-Next-80B-A3B", 79.7, "Q4_K_M", 48.5},
    {"Granite-4.0-H-Small", 32.2, "Q4_K_M", 19.5},
    {"Falcon-H1-7B", 7.59, "Q4_K_M", 4.6},
    {"Nemotron-Nano-9B-v2", 8.89, "Q4_K_M", 6.53},
};

class KnownShape : public testing::TestWithParam<PublicModel> {};

Bytes disk_bytes(const std::filesystem::path& path) {
    struct stat status {};

    EXPECT_EQ(stat(path.c_str(), &status), 0);
    return Bytes(status.st_blocks) * 512;
}

TEST_P(KnownShape, HasThePublicSizeAndLoadsInStockLlamaCpp) {
    const PublicModel known = GetParam();
    const auto shape = test::value_of(find_shape(known.name));
    const test::TempFolder dir;
    const auto written = test::value_of(write_sparse(shape, known.quant, dir / "model.gguf"));
    const auto& file = written.files.front();
    EXPECT_EQ(written.bytes, std::filesystem::file_size(file));
    EXPECT_NEAR(double(written.bytes) / 1e9, known.gigabytes, 0.01 * known.gigabytes);
    EXPECT_LT(disk_bytes(file), Bytes{16'000'000});

    const stock::Model model = stock::load_shape(file);
    ASSERT_NE(model, nullptr);
    EXPECT_NEAR(double(llama_model_n_params(model.get())) / 1e9,
                known.billion_params,
                0.005 * known.billion_params);
    EXPECT_EQ(llama_vocab_n_tokens(llama_model_get_vocab(model.get())), shape.n_vocab);
    const stock::Context context = stock::new_context(model, 4096);
    ASSERT_NE(context, nullptr);
    EXPECT_NE(llama_graph_reserve(context.get(), 512, 1, 512), nullptr);
    EXPECT_NE(llama_graph_reserve(context.get(), 1, 1, 1), nullptr);
}

INSTANTIATE_TEST_SUITE_P(All, KnownShape, ValuesIn(kPublicModels), test::NamedByParameter());

TEST(KnownShapes, AreAllHeldAgainstAPublicModel) {
    std::set<std::string> held;
    for (const PublicModel& known : kPublicModels) {
        held.insert(known.name);
    }
    std::set<std::string> known;
    for (const ModelShape& shape : known_shapes()) {
        known.insert(shape.name);
        EXPECT_FALSE(shape.source.empty()) << shape.name;
    }
    EXPECT_EQ(known, held);
}

TEST(KnownShapes, AnUnknownNameIsAnErrorThatListsTheKnown) {
    const auto shape = find_shape("Llama-9");
    ASSERT_FALSE(shape);
    EXPECT_THAT(shape.error().message, HasSubstr("'Llama-9'"));
    EXPECT_THAT(shape.error().message, HasSubstr("Llama-3.1-8B"));
}

}  // namespace
}  // namespace pshard
