#include "capture/llama_session.h"

#include <regex>

#include <fmt/format.h>

#include "support/testing.h"

namespace pshard {
namespace {

TEST(SpelledOut, ClassesMatchWhatTheyMatched) {
    EXPECT_EQ(spelled_out("^blk[.][3-5][.]ffn_down[.]weight$"),
              R"(^blk\.(?:3|4|5)\.ffn_down\.weight$)");
    EXPECT_EQ(spelled_out("[157][0-1]x"), "(?:1|5|7)(?:0|1)x");
    const std::string pattern = "^blk[.][1-3][0-9][.]ffn_(up|down)_exps[.]weight$";
    const std::regex as_given(pattern);
    const std::regex spelled(spelled_out(pattern));
    for (int layer = 0; layer < 50; ++layer) {
        for (const char* part : {"ffn_up_exps", "ffn_down_exps", "ffn_gate_exps", "xffn_up_exps"}) {
            const std::string name = fmt::format("blk.{}.{}.weight", layer, part);
            EXPECT_EQ(std::regex_search(name, spelled), std::regex_search(name, as_given)) << name;
        }
    }
}

TEST(SpelledOut, LeavesOtherClassesAsTheyAre) {
    for (const char* pattern :
         {"[^.]x", "[[:alpha:]]", "[az-a]", "a[", "\\[3-5]", "[]", "plain", ""}) {
        EXPECT_EQ(spelled_out(pattern), pattern);
    }
}

}  // namespace
}  // namespace pshard
