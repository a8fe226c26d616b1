#include "models/tokenizer.h"
#include "models/shapes.h"
#include "support/testing.h"

namespace pshard::shapes {
namespace {

size_t array_size(const Header& header, const char* key) {
    const auto id = gguf_find_key(header.gguf(), key);
    return id < 0 ? 0 : gguf_get_arr_n(header.gguf(), id);
}

std::vector<std::string> texts(const Header& header, const char* key) {
    const auto id = gguf_find_key(header.gguf(), key);
    std::vector<std::string> texts;
    for (size_t i = 0; i < array_size(header, key); ++i) {
        texts.emplace_back(gguf_get_arr_str(header.gguf(), id, i));
    }
    return texts;
}

TEST(Tokenizer, HasTheNumbersOfThePublicOne) {
    Header header("llama");
    ASSERT_TRUE(add_tokenizer(header, "llama3", 128256));
    EXPECT_EQ(array_size(header, "tokenizer.ggml.tokens"), 128256u);
    EXPECT_EQ(array_size(header, "tokenizer.ggml.token_type"), 128256u);
    EXPECT_EQ(array_size(header, "tokenizer.ggml.merges"), 280147u);
    const auto bos = gguf_find_key(header.gguf(), "tokenizer.ggml.bos_token_id");
    EXPECT_EQ(gguf_get_val_u32(header.gguf(), bos), 128000u);
}

// The mean length of a token of Llama 3's tokenizer.json is 6 to 7 bytes.
TEST(Tokenizer, TokensAreUniqueAndOfUsualLength) {
    for (const ModelShape& shape : known_shapes()) {
        Header header(shape.arch);
        ASSERT_TRUE(add_tokenizer(header, shape.tokenizer, shape.n_vocab)) << shape.name;
        const auto tokens = texts(header, "tokenizer.ggml.tokens");
        ASSERT_EQ(tokens.size(), size_t(shape.n_vocab));
        const std::set<std::string> unique(tokens.begin(), tokens.end());
        EXPECT_EQ(unique.size(), tokens.size()) << shape.name;
        size_t n_bytes = 0;
        for (const std::string& token : tokens) {
            n_bytes += token.size();
        }
        EXPECT_NEAR(double(n_bytes) / double(tokens.size()), 6.0, 1.0) << shape.name;
    }
}

TEST(Tokenizer, EveryMergeIsOfTwoParts) {
    Header header("qwen3");
    ASSERT_TRUE(add_tokenizer(header, "qwen2", 151936));
    const auto merges = texts(header, "tokenizer.ggml.merges");
    EXPECT_EQ(merges.size(), 151387u);
    for (const std::string& merge : merges) {
        const size_t blank = merge.find(' ');
        ASSERT_TRUE(blank != std::string::npos && blank > 0 && blank + 1 < merge.size()) << merge;
    }
}

TEST(Tokenizer, AnUnknownNameIsAnError) {
    Header header("llama");
    const Status status = add_tokenizer(header, "wordpiece", 1000);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().message, "tokenizer 'wordpiece' is not known to pshard-make-model");
}

}  // namespace
}  // namespace pshard::shapes
