#include "capture/slim_model.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "capture/capture_fixture.h"

namespace pshard {
namespace {

class SlimModelTest : public CaptureTest, public testing::WithParamInterface<std::string> {};

// The heart of it: what is captured from the slim copy is what the file itself gives.
TEST_P(SlimModelTest, IsCapturedAsTheFileItself) {
    CaptureRequest request = request_for(tiny(GetParam()), small_context());
    request.load_mtp = true;
    const Inventory slim = captured(request);
    request.load_vocabulary = true;
    EXPECT_EQ(slim, captured(request));
    EXPECT_FALSE(slim.weights.empty());
    EXPECT_EQ(slim.graphs.size(), 3U);
}

INSTANTIATE_TEST_SUITE_P(Architectures,
                         SlimModelTest,
                         testing::Values("llama",
                                         "qwen2",
                                         "qwen3",
                                         "gemma3",
                                         "phi3",
                                         "command-r",
                                         "qwen3moe",
                                         "gpt-oss",
                                         "deepseek2",
                                         "glm4moe",
                                         "llama4",
                                         "qwen3next",
                                         "granitehybrid",
                                         "falcon-h1",
                                         "nemotron_h"),
                         [](const auto& arch) { return stock::test_name(arch.param); });

class SlimRealModelTest : public CaptureTest, public testing::WithParamInterface<std::string> {};

TEST_P(SlimRealModelTest, IsCapturedAsTheFileItself) {
    CaptureRequest request = request_for(known(GetParam()), small_context());
    const Inventory slim = captured(request);
    request.load_vocabulary = true;
    EXPECT_EQ(slim, captured(request));
}

INSTANTIATE_TEST_SUITE_P(RealVocabularies,
                         SlimRealModelTest,
                         testing::Values("Llama-3.2-3B", "Mixtral-8x7B", "DeepSeek-V2-Lite"),
                         [](const auto& name) { return stock::test_name(name.param); });

TEST_F(CaptureTest, SlimCopyOfSplitsIsCapturedAsTheWholeFile) {
    const Result<ModelShape> shape = find_tiny_shape("qwen3moe");
    ASSERT_TRUE(shape.ok());
    const auto split = write_sparse(shape.value(), "Q4_0", dir_ / "split.gguf", 4);
    const auto whole = write_sparse(shape.value(), "Q4_0", dir_ / "whole.gguf");
    ASSERT_TRUE(split.ok() && whole.ok());
    Inventory of_split = captured(split.value().files[0], small_context());
    Inventory of_whole = captured(whole.value().files[0], small_context());
    EXPECT_EQ(of_split.file_bytes, std::filesystem::file_size(split.value().files[0]));
    EXPECT_EQ(of_split.total_file_bytes, split.value().bytes);
    EXPECT_EQ(of_split.header_hash, of_whole.header_hash);
    EXPECT_EQ(of_split.graphs, of_whole.graphs);
    EXPECT_EQ(of_split.weights, of_whole.weights);
}

TEST_F(CaptureTest, SlimCopyDropsTheVocabularyAndKeepsTheRest) {
    const auto files = open_model_files(known("Llama-3.2-3B"));
    ASSERT_TRUE(files.ok());
    const GgufHeader& file = files.value()[0];
    const auto slim = SlimModel::make(files.value());
    ASSERT_TRUE(slim.ok());
    const auto copy = GgufHeader::open(slim.value().paths()[0]);
    ASSERT_TRUE(copy.ok()) << copy.error().text();
    EXPECT_LT(copy.value().data_offset, file.data_offset / 20);
    EXPECT_EQ(copy.value().find("tokenizer.ggml.tokens"), nullptr);
    EXPECT_EQ(copy.value().string("tokenizer.ggml.model"), "no_vocab");
    EXPECT_EQ(copy.value().integer("llama.vocab_size"), 128256U);
    EXPECT_EQ(copy.value().integer("llama.block_count"), file.integer("llama.block_count"));
    EXPECT_EQ(copy.value().file_bytes() - copy.value().data_offset,
              file.file_bytes() - file.data_offset);
    ASSERT_EQ(copy.value().tensors.size(), file.tensors.size());
    EXPECT_EQ(copy.value().tensors.back().offset, file.tensors.back().offset);
}

}  // namespace
}  // namespace pshard
