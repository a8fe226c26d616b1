#include "base/visible.h"

#include "support/testing.h"

namespace pshard {
namespace {

TEST(Visible, ShowsControlCharacters) {
    EXPECT_EQ(visible("a\x1b[2J\nb\a\r\t\x7f"), "a\\x1b[2J\\x0ab\\x07\\x0d\\x09\\u007f");
    EXPECT_EQ(visible(std::string_view("a\0b", 3)), "a\\x00b");
    EXPECT_EQ(visible("\xc2\x9b"
                      "2J\xc2\x85"),
              "\\u009b2J\\u0085");  // C1: CSI, next line
}

TEST(Visible, ShowsMarksOfDirectionAndWhatHasNoWidth) {
    EXPECT_EQ(visible("\xe2\x80\xae"
                      "fdp.exe\xe2\x81\xa6"),
              "\\u202efdp.exe\\u2066");
    EXPECT_EQ(visible("\xd8\x9c\xe2\x80\x8f\xe2\x80\x8b"), "\\u061c\\u200f\\u200b");
    EXPECT_EQ(visible("\xef\xbb\xbf"
                      "a\xe2\x80\xa8"
                      "b"),
              "\\ufeffa\\u2028b");
    EXPECT_EQ(visible("\xf3\xa0\x81\x81"), "\\udb40\\udc41");  // a tag, U+E0041
}

TEST(Visible, ShowsBytesThatAreNoUtf8) {
    EXPECT_EQ(visible("caf\xe9"), "caf\\xe9");
    EXPECT_EQ(visible("\x9b"
                      "2J"),
              "\\x9b2J");                          // C1 in Latin-1
    EXPECT_EQ(visible("\xc0\x9b"), "\\xc0\\x9b");  // ESC in two bytes
    EXPECT_EQ(visible("\xe0\x80\x9b"), "\\xe0\\x80\\x9b");
    EXPECT_EQ(visible("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // a surrogate
    EXPECT_EQ(visible("\xf4\x90\x80\x80\xe2\x82"), "\\xf4\\x90\\x80\\x80\\xe2\\x82");
}

TEST(Visible, LeavesLettersOfAllScripts) {
    const std::string text =
        "Qwen \xe9\x80\x9a\xe4\xb9\x89 \xd9\x85\xd8\xb1 \xf0\x9f\xa6\x99 \\n \"'|";
    EXPECT_EQ(visible(text), text);
}

TEST(Visible, LeavesTheLinesOfADocument) {
    EXPECT_EQ(visible_lines("a\nb\r\n\x1b"), "a\nb\\x0d\n\\x1b");
}

}  // namespace
}  // namespace pshard
