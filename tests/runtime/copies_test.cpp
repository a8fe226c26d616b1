// Which pieces of a slot go in one copy.
#include "runtime/copies.h"
#include "support/testing.h"

namespace pshard {
namespace {

constexpr Bytes kBig = 512 * kKiB;
constexpr Bytes kLittle = kKiB;
constexpr Bytes kPad = 384;

class JoinUploads : public testing::Test {
protected:
    // A piece that lies in the memory below as far from its begin as in the slot, or `away`.
    SlotPiece piece(Bytes offset, Bytes bytes, Bytes away = 0) {
        return {offset, bytes, memory_.data() + offset + away};
    }

    static SlotPiece zeroes(Bytes offset) { return {offset, kPad, nullptr}; }

    // [begin, end) of the pieces in one copy each: "direct 0-2" or "gathered 2-3".
    std::vector<std::string> joined(const std::vector<SlotPiece>& pieces) const {
        const auto locked_at = [this](const std::byte* data, Bytes bytes) {
            const bool locked = data + bytes <= memory_.data() + locked_;
            return locked ? data + moved_ : nullptr;
        };
        const CopyRules rules{locked_at, gathers_};
        std::vector<std::string> names;
        for (const SlotCopy& copy : join_uploads(pieces, rules)) {
            const Bytes begin = pieces[copy.first].offset;
            EXPECT_EQ(copy.offset, begin);
            EXPECT_EQ(copy.end(), pieces[copy.last - 1].end());
            if (copy.host != nullptr && pieces[copy.first].host != nullptr) {
                EXPECT_EQ(copy.host, pieces[copy.first].host + (gathers_ ? moved_ : 0));
            }
            names.push_back(fmt::format(
                "{} {}-{}", copy.host == nullptr ? "gathered" : "direct", copy.first, copy.last));
        }
        return names;
    }

    std::vector<std::byte> memory_ = std::vector<std::byte>(6 * kBig);
    Bytes locked_ = 6 * kBig;
    Bytes moved_ = 0;  // locked memory lies so far behind its address
    bool gathers_ = true;
};

TEST_F(JoinUploads, GoAsOneWhereBothSidesAreContiguous) {
    EXPECT_THAT(joined({piece(0, kBig), piece(kBig, kLittle), piece(kBig + kLittle, kBig)}),
                ElementsAre("direct 0-3"));
}

TEST_F(JoinUploads, GoApartWhereTheHostsAreNot) {
    EXPECT_THAT(joined({piece(0, kBig), piece(kBig, kBig, 32)}),
                ElementsAre("direct 0-1", "direct 1-2"));
}

TEST_F(JoinUploads, CrossZeroesThatTheHostHasToo) {
    const std::vector<SlotPiece> pieces = {
        piece(0, kBig), zeroes(kBig), piece(kBig + kPad, kBig), zeroes(2 * kBig + kPad)};
    EXPECT_THAT(joined(pieces), ElementsAre("direct 0-4"));
    memory_[kBig + kPad - 1] = std::byte{1};
    EXPECT_THAT(joined(pieces), ElementsAre("direct 0-1", "gathered 1-2", "direct 2-4"));
}

TEST_F(JoinUploads, TakeMemoryFromWhereItHasMovedTo) {
    moved_ = kBig;
    memory_[kBig] = std::byte{1};  // not where the zeroes are now
    EXPECT_THAT(joined({piece(0, kBig), zeroes(kBig), piece(kBig + kPad, kBig)}),
                ElementsAre("direct 0-3"));
}

TEST_F(JoinUploads, EndWhereTheLockDoes) {
    locked_ = 2 * kBig - 1;
    EXPECT_THAT(joined({piece(0, kBig), piece(kBig, kBig)}),
                ElementsAre("direct 0-1", "gathered 1-2"));
}

TEST_F(JoinUploads, OfMemoryThatIsNotLockedAreGathered) {
    locked_ = 0;
    EXPECT_THAT(joined({piece(0, kBig), zeroes(kBig), piece(kBig + kPad, kBig, 99)}),
                ElementsAre("gathered 0-3"));
}

TEST_F(JoinUploads, OfSmallPiecesAreGatheredAlthoughLocked) {
    EXPECT_THAT(
        joined({piece(0, kLittle), piece(kLittle, kLittle, 32), piece(2 * kLittle, kBig, 64)}),
        ElementsAre("gathered 0-2", "direct 2-3"));
}

TEST_F(JoinUploads, LeaveWideGapsOut) {
    locked_ = 0;
    EXPECT_THAT(joined({piece(0, kLittle), piece(65 * kKiB, kLittle), piece(131 * kKiB, kLittle)}),
                ElementsAre("gathered 0-2", "gathered 2-3"));
    locked_ = 6 * kBig;
    EXPECT_THAT(joined({piece(0, kBig), piece(kBig + 64 * kKiB, kBig)}), ElementsAre("direct 0-2"));
    EXPECT_THAT(joined({piece(0, kBig), piece(kBig + 65 * kKiB, kBig)}),
                ElementsAre("direct 0-1", "direct 1-2"));
}

// A device whose driver has no page-locked memory is left to copy all by itself.
TEST_F(JoinUploads, WithoutAPlaceToGatherInAreDirect) {
    gathers_ = false;
    locked_ = 0;
    EXPECT_THAT(joined({piece(0, kLittle), piece(kLittle, kLittle), zeroes(2 * kLittle)}),
                ElementsAre("direct 0-2", "direct 2-3"));
}

TEST(JoinDownloads, TakeSmallGapsAlong) {
    std::array<std::byte, 8> host{};
    const std::vector<SlotPiece> rows = {
        {0, 100, host.data()}, {64 * kKiB, 100, host.data()}, {kMiB, 100, host.data()}};
    const std::vector<SlotCopy> copies = join_downloads(rows, true);
    ASSERT_EQ(copies.size(), 2U);
    EXPECT_EQ(copies[0], (SlotCopy{0, 64 * kKiB + 100, nullptr, 0, 2}));
    EXPECT_EQ(copies[1], (SlotCopy{kMiB, 100, nullptr, 2, 3}));
    EXPECT_EQ(join_downloads(rows, false).size(), 3U);
}

}  // namespace
}  // namespace pshard
