// What the figures of a header may be: llama.cpp asserts them, so each has a sentence of ours.
#include <filesystem>

#include "base/temp_folder.h"
#include "capture/gguf_header.h"
#include "capture/gguf_maker.h"
#include "capture/plain_words.h"
#include "support/testing.h"

namespace pshard {
namespace {

using Keys = std::vector<std::pair<std::string, std::uint32_t>>;

class ModelFigures : public testing::Test {
protected:
    Result<Inventory> identified(const std::string& architecture, const Keys& keys) const {
        GgufMaker maker;
        maker.begin(0, keys.size() + 1).string("general.architecture", architecture);
        for (const auto& [key, value] : keys) maker.integer(architecture + "." + key, value);
        const auto files = open_model_files(maker.data(64).write(folder_.file("m.gguf")));
        EXPECT_TRUE(files.ok()) << files.error().text();
        return identify_model(files.value());
    }

    // What is said of such a model; "" if it is taken.
    std::string fault(const Keys& keys) const {
        const Result<Inventory> model = identified("llama", keys);
        return model ? "" : model.error().message;
    }

    const test::TempFolder folder_;
};

TEST_F(ModelFigures, HaveASentenceForEachThatLlamaCppAsserts) {
    constexpr std::uint32_t kMost = 4294967295;
    const std::vector<std::pair<Keys, const char*>> rows = {
        {{{"block_count", 0}}, "0 layers (llama.block_count)"},
        {{{"block_count", 513}}, "513 layers, and llama.cpp v0.5.0 runs at most 512"},
        {{{"block_count", kMost}}, "4294967295 layers"},
        {{{"block_count", 4}, {"nextn_predict_layers", 5}}, "5 MTP layers"},
        {{{"block_count", 4}, {"nextn_predict_layers", 4000000000}},
         "4000000000 MTP layers (nextn_predict_layers) among 4 layers"},
        {{{"block_count", 4}, {"expert_count", 1025}, {"expert_used_count", 1}}, "1025 experts"},
        {{{"block_count", 4}, {"expert_count", 8}, {"expert_used_count", 9}},
         "8 experts (expert_count), and 9 for each token (expert_used_count)"},
        {{{"block_count", 4}, {"expert_used_count", 2}}, "0 experts (expert_count), and 2 for"},
        {{{"block_count", 4}, {"expert_count", 8}}, "8 experts (expert_count), and none"},
        {{{"block_count", 4}, {"expert_group_count", 1}}, "0 experts in 1 groups"},
        {{{"block_count", 4},
          {"expert_count", 8},
          {"expert_used_count", 2},
          {"expert_group_count", 8}},
         "8 experts in 8 groups"},
        {{{"block_count", 4},
          {"expert_count", 8},
          {"expert_used_count", 2},
          {"expert_group_count", 3},
          {"expert_group_used_count", 1}},
         "8 experts in 3 groups of one size"},
        {{{"block_count", 4},
          {"expert_count", 8},
          {"expert_used_count", 2},
          {"expert_group_count", 4}},
         "4 groups of experts, and 0 for a token"},
        {{{"block_count", 4},
          {"expert_count", 8},
          {"expert_used_count", 2},
          {"expert_group_count", 4},
          {"expert_group_used_count", 4}},
         "4 groups of experts, and 4 for a token"}};
    for (const auto& [keys, expected] : rows) {
        EXPECT_THAT(fault(keys), HasSubstr(expected));
        EXPECT_THAT(fault(keys), HasSubstr("damaged"));
    }
}

TEST_F(ModelFigures, MayBeWhatLlamaCppTakes) {
    const std::vector<Keys> rows = {{{"block_count", 512}},
                                    {{"block_count", 4}, {"nextn_predict_layers", 4}},
                                    {{"block_count", 4}, {"expert_count", 0}},
                                    {{"block_count", 4},
                                     {"expert_count", 1024},
                                     {"expert_used_count", 1024},
                                     {"expert_group_count", 1}},
                                    {{"block_count", 4},
                                     {"expert_count", 8},
                                     {"expert_used_count", 2},
                                     {"expert_group_count", 4},
                                     {"expert_group_used_count", 3}}};
    for (const Keys& keys : rows) EXPECT_EQ(fault(keys), "");
    EXPECT_TRUE(identified("hunyuan-dense", {{"block_count", 4}, {"expert_count", 1}}).ok());
}

TEST(InPlainWords, NoAssertionIsShownAsItIs) {
    EXPECT_EQ(in_plain_words("error loading model: ../llama.cpp-v0.5.0/src/llama-model.cpp:1305: "
                             "GGML_ASSERT(hparams.f(1) == 0) failed"),
              "figures of its header contradict each other, or its tensors, as llama.cpp v0.5.0 "
              "finds ('hparams.f(1) == 0' does not hold): the file is damaged, or made for another "
              "program");
    EXPECT_EQ(in_plain_words("/x/ggml/src/ggml.c:12: fatal error"),
              "llama.cpp v0.5.0 cannot go on with this model (ggml.c, line 12: fatal error): the "
              "file is damaged, or made for another program");
    EXPECT_EQ(in_plain_words("key not found: 12: a.b"), "key not found: 12: a.b");
    const std::string endless(1'000'000, 'a');
    EXPECT_EQ(in_plain_words(endless), endless);
}

}  // namespace
}  // namespace pshard
