// Which pages are locked together.
#include "runtime/page_locks.h"

#include <gmock/gmock.h>

namespace pshard {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Never read: only addresses count.
const std::byte* at(std::uintptr_t address) { return reinterpret_cast<const std::byte*>(address); }

constexpr Bytes kPage = 0x1000;

TEST(PagesOf, AreWhole) {
    EXPECT_THAT(pages_of({{at(0x10010), 0x20}}, kPage), ElementsAre(HostRange{at(0x10000), kPage}));
    EXPECT_THAT(pages_of({{at(0x10ff0), 0x20}}, kPage),
                ElementsAre(HostRange{at(0x10000), 2 * kPage}));
    EXPECT_THAT(pages_of({{at(0x10000), kPage}}, kPage),
                ElementsAre(HostRange{at(0x10000), kPage}));
}

TEST(PagesOf, OfNeighboursAreOne) {
    EXPECT_THAT(pages_of({{at(0x12000), 0x10}, {at(0x10000), 0x1800}, {at(0x11800), 0x10}}, kPage),
                ElementsAre(HostRange{at(0x10000), 3 * kPage}));
}

TEST(PagesOf, KeepDistantRangesApart) {
    EXPECT_THAT(pages_of({{at(0x20000), 0x10}, {at(0x10000), 0x10}}, kPage),
                ElementsAre(HostRange{at(0x10000), kPage}, HostRange{at(0x20000), kPage}));
}

TEST(PagesOf, OfARangeWithinAnotherAreTheLarger) {
    EXPECT_THAT(pages_of({{at(0x10000), 0x5000}, {at(0x11000), 0x10}}, kPage),
                ElementsAre(HostRange{at(0x10000), 5 * kPage}));
}

TEST(PagesOf, OfNothingAreNone) { EXPECT_THAT(pages_of({}, kPage), IsEmpty()); }

}  // namespace
}  // namespace pshard
