#include "base/fingerprint.h"

#include <gtest/gtest.h>

namespace pshard {
namespace {

// One step by hand: (0xcbf29ce484222325 xor 0) * 0x100000001b3, modulo 2^64.
TEST(WordHash, TakesWholeWords) {
    EXPECT_EQ(word_hash({}), Hash64{0xcbf29ce484222325U});
    EXPECT_EQ(word_hash({0}), Hash64{0xcbf29ce484222325U * 0x100000001b3U});
    EXPECT_NE(word_hash({1, 2}), word_hash({2, 1}));
}

TEST(WordHash, ExtendsTheSign) {
    EXPECT_EQ(word_hash({-1}), Hash64{~0xcbf29ce484222325U * 0x100000001b3U});
}

// The values that xxhsum -H3 gives: they are in files, and must never change.
TEST(TextHash, IsStable) {
    EXPECT_EQ(to_text(text_hash("")), "0x2d06800538d394c2");
    EXPECT_EQ(to_text(text_hash("abc")), "0x78af5f94892f3950");
}

TEST(Hash64, ReadsOnlyItsOwnForm) {
    EXPECT_EQ(hash_of("0x00000000000000ff"), Hash64{255});
    EXPECT_EQ(hash_of(to_text(Hash64{0xfedcba9876543210U})), Hash64{0xfedcba9876543210U});
    for (const char* text : {"",
                             "0x",
                             "255",
                             "0xff",
                             "0x00000000000000FF",
                             "0x00000000000000fg",
                             " 0x00000000000000ff",
                             "0x00000000000000ff0"}) {
        EXPECT_EQ(hash_of(text), std::nullopt) << text;
    }
}

}  // namespace
}  // namespace pshard
