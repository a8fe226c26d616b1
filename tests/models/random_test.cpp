// Random models run in stock llama.cpp.
#include <fstream>

#include "models/arch.h"
#include "models/shapes.h"
#include "stock_llama.h"
#include "support/testing.h"

namespace pshard {
namespace {

struct Case {
    std::string arch;
    std::string quant;

    friend void PrintTo(const Case& value, std::ostream* out) {
        *out << value.arch << " " << value.quant;
    }
};

std::vector<Case> all_cases() {
    std::vector<Case> cases;
    for (const ModelShape& shape : tiny_shapes()) {
        cases.push_back({shape.arch, "Q8_0"});
        cases.push_back({shape.arch, "Q4_K_M"});
    }
    cases.push_back({"gpt-oss", "MXFP4"});
    cases.push_back({"llama", "F16"});
    cases.push_back({"llama", "Q2_K"});
    cases.push_back({"llama", "IQ4_XS"});
    return cases;
}

std::vector<llama_token> tokens_of(const stock::Model& model, const std::string& text) {
    const llama_vocab* vocab = llama_model_get_vocab(model.get());
    std::vector<llama_token> tokens(text.size() + 8);
    const int n = llama_tokenize(
        vocab, text.data(), int(text.size()), tokens.data(), int(tokens.size()), false, false);
    tokens.resize(size_t(std::max(n, 0)));
    return tokens;
}

std::string text_of(const stock::Model& model, const std::vector<llama_token>& tokens) {
    const llama_vocab* vocab = llama_model_get_vocab(model.get());
    std::string text;
    for (const llama_token token : tokens) {
        char piece[64];
        const int n = llama_token_to_piece(vocab, token, piece, sizeof(piece), 0, true);
        text.append(piece, size_t(std::max(n, 0)));
    }
    return text;
}

// The logits after `tokens`, and then after `n_more` tokens of the model's own choice.
// Empty: llama.cpp failed.
std::vector<float> run(const stock::Model& model, std::vector<llama_token> tokens, int n_more) {
    const stock::Context context = stock::new_context(model, 256);
    const auto n_vocab = size_t(llama_vocab_n_tokens(llama_model_get_vocab(model.get())));
    std::vector<float> all;
    for (int i = 0; i <= n_more; ++i) {
        if (llama_decode(context.get(), llama_batch_get_one(tokens.data(), int(tokens.size()))) !=
            0) {
            return {};
        }
        const float* logits = llama_get_logits_ith(context.get(), -1);
        all.insert(all.end(), logits, logits + n_vocab);
        tokens = {llama_token(std::max_element(logits, logits + n_vocab) - logits)};
    }
    return all;
}

class RandomModel : public testing::TestWithParam<Case> {};

TEST_P(RandomModel, DecodesToFiniteLogits) {
    const test::TempFolder dir;
    const auto shape = test::value_of(find_tiny_shape(GetParam().arch));
    const auto written = test::value_of(write_random(shape, GetParam().quant, dir / "a.gguf", 1));
    const stock::Model model = stock::load_weights(dir / "a.gguf");
    ASSERT_NE(model, nullptr);

    const std::vector<float> logits = run(model, tokens_of(model, "hello the world"), 4);
    ASSERT_EQ(logits.size(), 5 * size_t(shape.n_vocab));
    double sum = 0;
    double squares = 0;
    for (const float logit : logits) {
        ASSERT_TRUE(std::isfinite(logit));
        sum += double(logit);
        squares += double(logit) * double(logit);
    }
    const double mean = sum / double(logits.size());
    const double deviation = std::sqrt(squares / double(logits.size()) - mean * mean);
    EXPECT_GT(deviation, 0.01);  // the weights are not zeros
    EXPECT_LT(deviation, 100.0);
}

INSTANTIATE_TEST_SUITE_P(All, RandomModel, ValuesIn(all_cases()), test::NamedByParameter());

TEST(WriteRandom, IsMadeByItsSeedAlone) {
    const test::TempFolder dir;
    const ModelShape shape = find_tiny_shape("qwen3moe").value();
    ASSERT_TRUE(write_random(shape, "Q4_K_M", dir / "a.gguf", 7));
    ASSERT_TRUE(write_random(shape, "Q4_K_M", dir / "b.gguf", 7));
    ASSERT_TRUE(write_random(shape, "Q4_K_M", dir / "c.gguf", 8));
    const std::string first = test::text_in(dir / "a.gguf");
    EXPECT_TRUE(first == test::text_in(dir / "b.gguf"));
    EXPECT_FALSE(first == test::text_in(dir / "c.gguf"));
}

TEST(WriteRandom, SplitsComputeWhatTheWholeFileDoes) {
    const test::TempFolder dir;
    const ModelShape shape = find_tiny_shape("qwen3moe").value();
    const auto whole = write_random(shape, "Q4_K_M", dir / "one.gguf", 7);
    const auto split = write_random(shape, "Q4_K_M", dir / "many.gguf", 7, {3});
    ASSERT_TRUE(whole && split);
    ASSERT_EQ(split.value().files.size(), 3U);
    const stock::Model one = stock::load_weights(whole.value().files[0]);
    const stock::Model many = stock::load_weights(split.value().files[0]);
    ASSERT_NE(many, nullptr);
    const auto tokens = tokens_of(one, "hello the world");
    EXPECT_EQ(run(many, tokens, 2), run(one, tokens, 2));
}

TEST(WriteRandom, AnyTextCanBeReadAndShown) {
    const test::TempFolder dir;
    ASSERT_TRUE(write_random(find_tiny_shape("llama").value(), "Q8_0", dir / "a.gguf", 1));
    const stock::Model model = stock::load_weights(dir / "a.gguf");
    ASSERT_NE(model, nullptr);
    const std::string text = "The quick brown fox, 42 {\n\tj\xC3\xBCrgen}";
    const auto tokens = tokens_of(model, text);
    EXPECT_EQ(text_of(model, tokens), text);
    EXPECT_LT(tokens.size(), text.size());  // merges were used
}

TEST(WriteRandom, OtherSizesRunToo) {
    const test::TempFolder dir;
    for (const ModelShape& tiny : tiny_shapes()) {
        const ModelShape shape =
            resized(tiny,
                    {.n_layer = 12, .n_embd = 512, .n_ff = 768, .n_vocab = 600, .n_expert = 24})
                .value();
        ASSERT_TRUE(write_random(shape, "Q4_0", dir / "a.gguf", 1)) << shape.arch;
        const stock::Model model = stock::load_weights(dir / "a.gguf");
        ASSERT_NE(model, nullptr) << shape.arch;
        EXPECT_EQ(llama_model_n_layer(model.get()), 12) << shape.arch;
        EXPECT_EQ(llama_model_n_embd(model.get()), 512) << shape.arch;
        const std::vector<float> logits = run(model, tokens_of(model, "the"), 0);
        ASSERT_EQ(logits.size(), 600u) << shape.arch;
        EXPECT_TRUE(std::ranges::all_of(logits, [](float x) { return std::isfinite(x); }))
            << shape.arch;
    }
}

// 2 KV heads of 256: one of 128. Heads that are given need not grow.
TEST(TinyShapes, GrowByWholeHeads) {
    const ModelShape tiny = find_tiny_shape("llama").value();
    const Result<ModelShape> refused = resized(tiny, {.n_embd = 33});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message,
              "a width of 33 is no multiple of 128: the heads of llama models grow with it");
    EXPECT_EQ(resized(tiny, {.n_embd = 384}).value().n_head, 6);
    EXPECT_EQ(resized(tiny, {.n_embd = 96, .n_head = 3, .n_head_kv = 1}).value().n_head, 3);
}

TEST(TinyShapes, CoverEveryArchitecture) {
    for (const shapes::Arch& arch : shapes::all_archs()) {
        EXPECT_TRUE(find_tiny_shape(arch.name) || find_tiny_draft(arch.name)) << arch.name;
    }
    for (const ModelShape& shape : known_shapes()) {
        EXPECT_TRUE(find_tiny_shape(shape.arch)) << shape.arch;
    }
}

}  // namespace
}  // namespace pshard
