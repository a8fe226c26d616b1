#include "base/host_pages.h"

#include <cstdint>
#include <fstream>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/address_space.h"
#include "base/temp_folder.h"
#include "support/testing.h"

namespace pshard {
namespace {

constexpr Bytes kPage = 0x1000;

// Never read: only addresses count.
const std::byte* at(std::uintptr_t address) { return reinterpret_cast<const std::byte*>(address); }

TEST(HostPages, AreWholeAroundARange) {
    EXPECT_EQ(pages_around({at(0x10010), 0x20}, kPage), (HostRange{at(0x10000), kPage}));
    EXPECT_EQ(pages_around({at(0x10ff0), 0x20}, kPage), (HostRange{at(0x10000), 2 * kPage}));
    EXPECT_EQ(pages_around({at(0x10000), kPage}, kPage), (HostRange{at(0x10000), kPage}));
}

TEST(HostPages, AreWholeInsideARange) {
    EXPECT_EQ(pages_inside({at(0x10010), 0x2ff0}, kPage), (HostRange{at(0x11000), 2 * kPage}));
    EXPECT_EQ(pages_inside({at(0x10000), 0x1fff}, kPage), (HostRange{at(0x10000), kPage}));
    EXPECT_EQ(pages_inside({at(0x10010), 0x20}, kPage).bytes, 0U);
    EXPECT_EQ(pages_inside({at(0x10010), 0x1000}, kPage).bytes, 0U);
}

// A file of two pages, mapped as llama.cpp maps a model.
class MappedFile : public testing::Test {
protected:
    void SetUp() override {
        std::ofstream(folder_.file("pages"), std::ios::binary)
            << std::string(2 * page_bytes(), 'x');
        const int file = open(folder_.file("pages").c_str(), O_RDONLY);
        void* pages = mmap(nullptr, 2 * page_bytes(), PROT_READ, MAP_SHARED, file, 0);
        close(file);
        ASSERT_NE(pages, MAP_FAILED);
        range_ = {static_cast<const std::byte*>(pages), 2 * page_bytes()};
    }

    void TearDown() override { munmap(const_cast<std::byte*>(range_.data), range_.bytes); }

    test::TempFolder folder_;
    HostRange range_{};
};

TEST_F(MappedFile, IsKnownToBeOne) {
    const FileMappings mappings = FileMappings::read();
    EXPECT_TRUE(mappings.hold(range_));
    EXPECT_TRUE(mappings.hold({range_.data + 5, 7}));
    const auto memory = AddressSpace::reserve(page_bytes(), PageUse::OnDemand);
    EXPECT_FALSE(mappings.hold({memory->data(), page_bytes()}));
    EXPECT_FALSE(mappings.hold({memory->data(), 1}));
}

TEST_F(MappedFile, ComesAgainWhenItsPagesWereGivenBack) {
    fetch_pages(range_);
    give_back_pages(range_);
    EXPECT_EQ(range_.data[0], std::byte{'x'});
    EXPECT_EQ(range_.data[range_.bytes - 1], std::byte{'x'});
}

TEST(HostPages, OfMemoryReadAsZeroesWhenTheyWereGivenBack) {
    const auto memory = AddressSpace::reserve(2 * page_bytes(), PageUse::OnDemand);
    memory->data()[0] = memory->data()[page_bytes()] = std::byte{1};
    give_back_pages({memory->data() + 1, 2 * page_bytes() - 1});
    EXPECT_EQ(memory->data()[0], std::byte{1});  // its page is not inside
    EXPECT_EQ(memory->data()[page_bytes()], std::byte{0});
}

}  // namespace
}  // namespace pshard
