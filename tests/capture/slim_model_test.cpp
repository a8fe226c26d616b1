#include "capture/slim_model.h"
#include "capture/capture_fixture.h"
#include "support/testing.h"

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
                         Values("llama",
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
                         test::NamedByParameter());

class SlimRealModelTest : public CaptureTest, public testing::WithParamInterface<std::string> {};

TEST_P(SlimRealModelTest, IsCapturedAsTheFileItself) {
    CaptureRequest request = request_for(known(GetParam()), small_context());
    const Inventory slim = captured(request);
    request.load_vocabulary = true;
    EXPECT_EQ(slim, captured(request));
}

INSTANTIATE_TEST_SUITE_P(RealVocabularies,
                         SlimRealModelTest,
                         Values("Llama-3.2-3B", "Mixtral-8x7B", "DeepSeek-V2-Lite"),
                         test::NamedByParameter());

TEST_F(CaptureTest, SlimCopyOfSplitsIsCapturedAsTheWholeFile) {
    const ModelShape shape = test::value_of(find_tiny_shape("qwen3moe"));
    const auto split = write_sparse(shape, "Q4_0", dir_ / "split.gguf", {4});
    const auto whole = write_sparse(shape, "Q4_0", dir_ / "whole.gguf");
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
    const auto files = test::value_of(open_model_files(known("Llama-3.2-3B")));
    const GgufHeader& file = files[0];
    const auto slim = test::value_of(SlimModel::make(files));
    const auto copy = test::value_of(GgufHeader::open(slim.paths()[0]));
    EXPECT_LT(copy.data_offset, file.data_offset / 20);
    EXPECT_EQ(copy.find("tokenizer.ggml.tokens"), nullptr);
    EXPECT_EQ(copy.string("tokenizer.ggml.model"), "no_vocab");
    EXPECT_EQ(copy.integer("llama.vocab_size"), 128256U);
    EXPECT_EQ(copy.integer("llama.block_count"), file.integer("llama.block_count"));
    EXPECT_EQ(copy.file_bytes() - copy.data_offset, file.file_bytes() - file.data_offset);
    ASSERT_EQ(copy.tensors.size(), file.tensors.size());
    EXPECT_EQ(copy.tensors.back().offset, file.tensors.back().offset);
}

}  // namespace
}  // namespace pshard
