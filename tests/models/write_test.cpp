// Sparse files: splits, what is in the file, and what is refused.
#include "models/arch.h"
#include "models/shapes.h"
#include "stock_llama.h"
#include "support/testing.h"

namespace pshard {
namespace {

ModelShape known(const std::string& name) { return find_shape(name).value(); }

TEST(WriteSparse, SplitsAreOneModelOfTheSameSize) {
    const test::TempFolder dir;
    const auto whole = write_sparse(known("Qwen3-8B"), "Q4_K_M", dir / "one.gguf");
    const auto split = write_sparse(known("Qwen3-8B"), "Q4_K_M", dir / "many.gguf", {3});
    ASSERT_TRUE(whole);
    ASSERT_TRUE(split);
    ASSERT_EQ(split.value().files.size(), 3u);
    EXPECT_EQ(split.value().files[1].filename(), "many-00002-of-00003.gguf");
    for (const auto& file : split.value().files) {
        const double share = double(std::filesystem::file_size(file)) / double(whole.value().bytes);
        EXPECT_NEAR(share, 1.0 / 3, 0.1) << file;
    }
    const stock::Model one = stock::load_shape(whole.value().files[0]);
    const stock::Model many = stock::load_shape(split.value().files[0]);
    ASSERT_NE(one, nullptr);
    ASSERT_NE(many, nullptr);
    EXPECT_EQ(llama_model_size(one.get()), llama_model_size(many.get()));
    EXPECT_EQ(llama_model_n_params(one.get()), llama_model_n_params(many.get()));
}

TEST(WriteSparse, CanPutEachTensorInItsOwnFile) {
    ModelShape shape = find_tiny_shape("llama").value();
    const auto n_tensors = int(shapes::list_tensors(shape).value().size());
    const test::TempFolder dir;
    const auto written = test::value_of(write_sparse(shape, "Q8_0", dir / "a.gguf", {n_tensors}));
    EXPECT_NE(stock::load_shape(written.files[0]), nullptr);
    const auto refused = write_sparse(shape, "Q8_0", dir / "b.gguf", {n_tensors + 1});
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr(fmt::format("cannot split {}", n_tensors)));
}

// As gguf-split --no-tensor-first-split leaves it.
TEST(WriteSparse, TheFirstFileMayBeAStub) {
    const test::TempFolder dir;
    const auto written =
        test::value_of(write_sparse(known("Qwen3-8B"), "Q8_0", dir / "a.gguf", {3, true}));
    const stock::Model model = stock::load_shape(written.files[0]);
    ASSERT_NE(model, nullptr);
    EXPECT_LT(std::filesystem::file_size(written.files[0]), 10U << 20U);
    EXPECT_GT(std::filesystem::file_size(written.files[1]), 3U << 30U);
    EXPECT_FALSE(write_sparse(known("Qwen3-8B"), "Q8_0", dir / "b.gguf", {1, true}));
}

TEST(WriteSparse, RefusesWhatItCannotWrite) {
    const test::TempFolder dir;
    const auto quant = write_sparse(known("Qwen3-8B"), "Q9_9", dir / "a.gguf");
    ASSERT_FALSE(quant);
    EXPECT_THAT(quant.error().message, HasSubstr("'Q9_9' is not known"));

    const auto folder = write_sparse(known("Qwen3-8B"), "Q8_0", dir / "no-such-folder/a.gguf");
    ASSERT_FALSE(folder);
    EXPECT_THAT(folder.error().text(),
                HasSubstr("no-such-folder/a.gguf.pshard-tmp: cannot create this temporary file: No "
                          "such file"));

    std::filesystem::create_symlink("/dev/full", dir / "full.gguf");
    const auto full = write_sparse(known("Qwen3-8B"), "Q8_0", dir / "full.gguf");
    ASSERT_FALSE(full);
    EXPECT_THAT(full.error().message, HasSubstr("this is not a file; it stays as it is"));

    ModelShape shape = known("Qwen3-8B");
    shape.arch = "no-such-arch";
    const auto arch = write_sparse(shape, "Q8_0", dir / "a.gguf");
    ASSERT_FALSE(arch);
    EXPECT_THAT(arch.error().message, HasSubstr("'no-such-arch' is not known"));
}

TEST(WriteSparse, RefusesSizesThatMakeNoModel) {
    const test::TempFolder dir;
    const auto message = [&](const ModelShape& shape) {
        const auto written = write_sparse(shape, "Q8_0", dir / "a.gguf");
        return written ? std::string("written") : written.error().message;
    };
    ModelShape shape = known("Qwen3-8B");
    shape.n_head_kv = 5;
    EXPECT_EQ(message(shape), "model 'Qwen3-8B': 32 heads cannot share 5 KV heads");
    shape = known("Qwen3-30B-A3B");
    shape.moe.n_expert_used = 200;
    EXPECT_EQ(message(shape), "model 'Qwen3-30B-A3B': 200 experts are used of 128");
    shape = known("Qwen3-Next-80B-A3B");
    shape.n_layer = 3;
    EXPECT_EQ(message(shape),
              "model 'Qwen3-Next-80B-A3B': its layer pattern has 48 signs for 3 layers");
    shape = known("Qwen3-8B");
    shape.n_vocab = 1000;
    EXPECT_THAT(message(shape), HasSubstr("1000 tokens is too small for tokenizer 'qwen2'"));
}

}  // namespace
}  // namespace pshard
