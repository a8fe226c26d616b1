#include "base/copy_threads.h"

#include <algorithm>

#include "support/testing.h"

namespace pshard {
namespace {

TEST(CopyThreads, CopyAllOfIt) {
    for (const std::size_t n : {1U, 3U, 4U}) {
        CopyThreads threads(n);
        for (const Bytes bytes : {Bytes{0}, Bytes{5}, 256 * kKiB, 1 * kMiB + 7, 3 * kMiB - 1}) {
            std::vector<std::byte> from(bytes);
            for (Bytes i = 0; i < bytes; ++i) from[i] = std::byte(i * 31 >> 3U);
            std::vector<std::byte> to(bytes + 1, std::byte{7});
            threads.copy(to.data(), from.data(), bytes);
            EXPECT_TRUE(std::equal(from.begin(), from.end(), to.begin())) << n << " " << bytes;
            EXPECT_EQ(to.back(), std::byte{7});
        }
    }
}

TEST(CopyThreads, AreFewerBesideOthers) {
    EXPECT_GE(CopyThreads::beside_others(), 1U);
    EXPECT_LE(CopyThreads::beside_others(), CopyThreads::alone());
    EXPECT_LE(CopyThreads::alone(), 4U);
}

}  // namespace
}  // namespace pshard
