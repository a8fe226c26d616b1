// What is page-locked in place, what moves to the driver's memory instead, and where it then lies.
#include "runtime/page_locks.h"

#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/address_space.h"
#include "base/temp_folder.h"
#include "simgpu/host_ranges.h"
#include "simgpu/sim_device.h"
#include "support/testing.h"

namespace pshard::simgpu {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

constexpr Bytes kBytes = 256 * kKiB;

class LocksTest : public testing::Test {
protected:
    Uploaded range(std::size_t i) const { return {{memory_.data() + 2 * i * kBytes, kBytes}}; }

    const std::byte* begin(std::size_t i) const { return range(i).range.data; }

    std::vector<std::byte> memory_ = std::vector<std::byte>(8 * kBytes);
    SimDevice device_;
};

TEST_F(LocksTest, GoWithTheirOwner) {
    PageLocks locks(&device_.gpu.device, 8 * kBytes);
    {
        const PageLocks::Lock lock = locks.lock({range(0), range(2)});
        EXPECT_GE(lock.bytes(), 2 * kBytes);
        EXPECT_TRUE(locks.piece(begin(0), kBytes).locked);
        EXPECT_FALSE(locks.piece(begin(0), kBytes).writable);
        EXPECT_FALSE(locks.piece(begin(1), kBytes).locked);
        EXPECT_TRUE(HostRanges::of_process().pinned(begin(0), kBytes));
    }
    EXPECT_FALSE(locks.piece(begin(0), kBytes).locked);
    EXPECT_FALSE(HostRanges::of_process().pinned(begin(0), kBytes));
}

TEST_F(LocksTest, OfAllOwnersKeepToTheLimit) {
    PageLocks locks(&device_.gpu.device, 3 * kBytes - 1);  // wherever in their pages they begin
    PageLocks::Lock first = locks.lock({range(0), range(1)});
    EXPECT_GE(first.bytes(), 2 * kBytes);
    EXPECT_EQ(locks.lock({range(2)}).bytes(), 0u);
    first = {};
    EXPECT_GE(locks.lock({range(2)}).bytes(), kBytes);
}

TEST_F(LocksTest, GoFirstToWhatGainsMost) {
    PageLocks locks(&device_.gpu.device, 2 * kBytes - 1);
    Uploaded often = range(2);
    Uploaded seldom = range(0);
    often.rank = 1;
    seldom.rank = 2;
    const PageLocks::Lock lock = locks.lock({seldom, often});
    EXPECT_TRUE(locks.piece(begin(2), kBytes).locked);
    EXPECT_FALSE(locks.piece(begin(0), kBytes).locked);
}

// 8 MiB under a limit of 5: halves are tried until 1 MiB, and the beginning is what is locked.
TEST_F(LocksTest, CoverTheBeginningOfWhatIsOverTheLimit) {
    const auto memory = AddressSpace::reserve(8 * kMiB, PageUse::OnDemand);
    PageLocks locks(&device_.gpu.device, 5 * kMiB);
    const PageLocks::Lock lock = locks.lock({{{memory->data(), 8 * kMiB}}});
    EXPECT_EQ(lock.bytes(), 5 * kMiB);
    EXPECT_EQ(locks.piece(memory->data(), 8 * kMiB).bytes, 4 * kMiB);
    EXPECT_EQ(locks.piece(memory->data() + 4 * kMiB, 4 * kMiB).bytes, 1 * kMiB);
    const PageLocks::Piece rest = locks.piece(memory->data() + 5 * kMiB, 3 * kMiB);
    EXPECT_FALSE(rest.locked);
    EXPECT_EQ(rest.bytes, 3 * kMiB);
    EXPECT_EQ(locks.piece(memory->data() + 3 * kMiB, kMiB).data, memory->data() + 3 * kMiB);
}

// Two runs of 256 KiB and what else lies in their pages: a step each, and 0 of 0 MiB.
TEST_F(LocksTest, TellHowFarTheyAre) {
    PageLocks locks(&device_.gpu.device, 8 * kBytes);
    int steps = 0;
    const PageLocks::Lock lock =
        locks.lock({range(0), range(2)}, [&](std::size_t done, std::size_t all) {
            ++steps;
            EXPECT_LE(done, all);
        });
    EXPECT_EQ(steps, 2);
    EXPECT_GE(lock.bytes(), 2 * kBytes);
    // What is over the limit is not read.
    PageLocks few(&device_.gpu.device, kBytes / 2);
    const auto never = [](std::size_t, std::size_t) { FAIL(); };
    EXPECT_EQ(few.lock({range(4)}, never).bytes(), 0u);
}

TEST(RunsOf, HoldNeighboursOfOneRank) {
    const auto* data = reinterpret_cast<const std::byte*>(std::uintptr_t{0x100000});
    const Uploaded a{{data, 100}};
    const Uploaded b{{data + 128, 100}};
    const Uploaded far{{data + 0x10000, 100}};
    const Uploaded later{{data + 256, 100}, false, 1};
    const Uploaded own{{data + 384, 100}, true};
    EXPECT_THAT(
        runs_of({later, far, own, b, a}),
        ElementsAre(ElementsAre(a, b), ElementsAre(own), ElementsAre(far), ElementsAre(later)));
    EXPECT_THAT(runs_of({a, a}), SizeIs(2));
    EXPECT_THAT(runs_of({}), SizeIs(0));
}

// ---- a driver that locks nothing in place ----

class MovedTest : public testing::Test {
protected:
    static constexpr Bytes kWeight = 512 * kKiB;

    MovedTest() { gpu_of_environment()->settings.lockable_bytes = 0; }

    ~MovedTest() override { gpu_of_environment()->settings.lockable_bytes = lockable_; }

    // `n` weights of memory that is ours, one behind the other, filled with 1, 2, 3...
    std::vector<Uploaded> weights(std::size_t n) {
        std::vector<Uploaded> all;
        for (std::size_t i = 0; i < n; ++i) {
            std::byte* data = memory_->data() + i * kWeight;
            std::memset(data, int(i) + 1, kWeight);
            all.push_back({{data, kWeight}, true});
        }
        return all;
    }

    std::byte* address(std::size_t i) { return memory_->data() + i * kWeight; }

    std::size_t lockable_ = gpu_of_environment()->settings.lockable_bytes;
    std::optional<AddressSpace> memory_ = AddressSpace::reserve(8 * kWeight, PageUse::OnDemand);
    SimDevice device_;
};

TEST_F(MovedTest, BytesLieInTheDriversMemoryAndNowhereElse) {
    PageLocks locks(&device_.gpu.device, 8 * kWeight);
    const PageLocks::Lock lock = locks.lock(weights(4));
    EXPECT_EQ(lock.bytes(), 4 * kWeight);
    EXPECT_TRUE(locks.moves());
    const PageLocks::Piece piece = locks.piece(address(2), kWeight);
    EXPECT_EQ(piece.bytes, kWeight);
    EXPECT_TRUE(piece.locked && piece.writable);
    EXPECT_TRUE(HostRanges::of_process().pinned(piece.data, kWeight));
    EXPECT_TRUE(HostRanges::of_process().writable(piece.data, kWeight));
    EXPECT_EQ(piece.data[0], std::byte{3});
    EXPECT_EQ(locks.whole(address(2), kWeight), piece.data);
    EXPECT_EQ(address(2)[0], std::byte{0});  // its pages were given back
    EXPECT_EQ(locks.piece(address(4), kWeight).data, address(4));
}

TEST_F(MovedTest, NeighboursStayNeighbours) {
    PageLocks locks(&device_.gpu.device, 8 * kWeight);
    const PageLocks::Lock lock = locks.lock(weights(4));
    EXPECT_EQ(locks.piece(address(0), 4 * kWeight).bytes, 4 * kWeight);
}

TEST_F(MovedTest, BytesComeBackWithTheEndOfTheLock) {
    PageLocks locks(&device_.gpu.device, 8 * kWeight);
    {
        const PageLocks::Lock lock = locks.lock(weights(2));
        locks.piece(address(1), 1).data[0] = std::byte{9};  // as a download does
    }
    EXPECT_EQ(address(0)[5], std::byte{1});
    EXPECT_EQ(address(1)[0], std::byte{9});
    EXPECT_EQ(address(1)[1], std::byte{2});
    EXPECT_FALSE(locks.piece(address(0), 1).locked);
}

TEST_F(MovedTest, BytesOfMemoryThatGoesAreForgotten) {
    PageLocks locks(&device_.gpu.device, 2 * kWeight);
    PageLocks::Lock lock = locks.lock(weights(2));
    locks.forget(memory_->data(), 8 * kWeight);
    EXPECT_FALSE(locks.piece(address(0), 1).locked);
    lock = {};  // moves nothing
    EXPECT_EQ(address(1)[0], std::byte{0});
    EXPECT_EQ(locks.lock(weights(2)).bytes(), 2 * kWeight);  // the limit is free again
}

// Two buffers of a host may touch, and one block then holds bytes of both.
TEST_F(MovedTest, BytesOfANeighbourThatStaysComeBack) {
    PageLocks locks(&device_.gpu.device, 8 * kWeight);
    const PageLocks::Lock lock = locks.lock(weights(3));
    locks.forget(address(0), kWeight);
    EXPECT_EQ(address(1)[0], std::byte{2});
    EXPECT_EQ(address(2)[kWeight - 1], std::byte{3});
    EXPECT_FALSE(locks.piece(address(1), 1).locked);
}

// Whole weights, as the CPU may compute from one that nobody can read at its old place.
TEST_F(MovedTest, MemoryOfOursIsNotCutAtTheLimit) {
    PageLocks locks(&device_.gpu.device, 3 * kWeight + kWeight / 2);
    const PageLocks::Lock lock = locks.lock(weights(4));
    EXPECT_EQ(lock.bytes(), 3 * kWeight);
    EXPECT_FALSE(locks.piece(address(3), kWeight).locked);
    EXPECT_EQ(locks.piece(address(3), kWeight).data[0], std::byte{4});
}

TEST_F(MovedTest, MemoryOfOthersStays) {
    PageLocks locks(&device_.gpu.device, 8 * kWeight);
    std::vector<Uploaded> others = weights(1);
    others.front().ours = false;
    EXPECT_EQ(locks.lock(others).bytes(), 0u);
    EXPECT_EQ(address(0)[0], std::byte{1});
}

// 3.5 MiB of a mapped file under a limit of 2: cut at a page, and the file is still read behind it
// and at its old place.
TEST_F(MovedTest, AMappedFileIsCutAndStays) {
    const test::TempFolder folder;
    const Bytes bytes = 7 * kWeight;
    std::ofstream(folder.file("model"), std::ios::binary) << std::string(bytes, 'x');
    const int file = open(folder.file("model").c_str(), O_RDONLY);
    void* pages = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    ASSERT_NE(pages, MAP_FAILED);
    const auto* data = static_cast<const std::byte*>(pages);
    {
        PageLocks locks(&device_.gpu.device, 2 * kMiB);
        const PageLocks::Lock lock = locks.lock({{{data, bytes}}});
        EXPECT_GT(lock.bytes(), 1 * kMiB);
        EXPECT_LE(lock.bytes(), 2 * kMiB);
        const PageLocks::Piece first = locks.piece(data, bytes);
        EXPECT_TRUE(first.locked);
        EXPECT_NE(first.data, data);
        EXPECT_EQ(first.data[first.bytes - 1], std::byte{'x'});
        EXPECT_FALSE(locks.piece(data + bytes - 1, 1).locked);
        EXPECT_EQ(locks.whole(data, bytes), data);
        EXPECT_EQ(data[0], std::byte{'x'});
    }
    munmap(pages, bytes);
}

}  // namespace
}  // namespace pshard::simgpu
