#include "probe/copy_load.h"

#include <chrono>
#include <cstring>

#include "build_paths.h"
#include "support/test_gpu.h"
#include "support/testing.h"

namespace pshard {
namespace {

using namespace std::chrono_literals;

ggml_backend_dev_t test_gpu() { return find_gpu("Vulkan0").value(); }

ggml_backend_dev_t test_cpu() {
    load_ggml_backends(PSHARD_LLAMA_BIN_DIR);
    return find_cpu().value();
}

TEST(HostBlock, IsRandomAndTouched) {
    const HostBlock memory =
        test::value_of(HostBlock::make(CopySource::Pageable, test_cpu(), kMiB));
    // Of 131072 random words of 64 bits, two alike are a chance of 5e-10.
    std::vector<std::uint64_t> words(kMiB / 8);
    std::memcpy(words.data(), memory.data(), kMiB);
    std::sort(words.begin(), words.end());
    EXPECT_EQ(std::adjacent_find(words.begin(), words.end()), words.end());
}

TEST(HostBlock, SaysWhichKindIsMissing) {
    const Result<HostBlock> pinned = HostBlock::make(CopySource::Pinned, test_cpu(), kMiB);
    ASSERT_FALSE(pinned.ok());
    EXPECT_EQ(pinned.error().message, "CPU has no pinned host memory");
    const Result<HostBlock> locked = HostBlock::make(CopySource::Registered, test_cpu(), kMiB);
    ASSERT_FALSE(locked.ok());
    EXPECT_EQ(locked.error().message, "CPU cannot page-lock memory in place");
}

TEST(HostBlock, FailsWhenTheHostHasNotSoMuch) {
    const Result<HostBlock> memory =
        HostBlock::make(CopySource::Pageable, test_cpu(), Bytes{1} << 60U);
    ASSERT_FALSE(memory.ok());
    EXPECT_NE(memory.error().message.find("MiB of memory left"), std::string::npos);
}

TEST(HostBlock, PinnedComesFromTheDevice) {
    PSHARD_NEEDS_GPU();
    const HostBlock pinned = test::value_of(HostBlock::make(CopySource::Pinned, test_gpu(), kMiB));
    EXPECT_TRUE(pinned.writable());
}

TEST(CopyQueue, CopiesUpAndDown) {
    PSHARD_NEEDS_GPU();
    for (const CopySource kind : {CopySource::Pinned, CopySource::Pageable}) {
        Result<CopyQueue> queue = CopyQueue::open(test_gpu(), kMiB, kMiB);
        Result<HostBlock> from = HostBlock::make(kind, test_gpu(), kMiB);
        Result<HostBlock> to = HostBlock::make(kind, test_gpu(), kMiB);
        ASSERT_TRUE(queue.ok() && from.ok() && to.ok());
        std::memset(to.value().data(), 0, kMiB);
        queue.value().upload(from.value().data() + 4096, 8192, 65536);
        queue.value().wait();
        queue.value().download(to.value().data(), 8192, 65536);
        queue.value().wait();
        EXPECT_EQ(std::memcmp(to.value().data(), from.value().data() + 4096, 65536), 0)
            << name_of(kind);
    }
}

TEST(CopyQueue, TakesLessWhereThereIsLess) {
    PSHARD_NEEDS_GPU();
    const CopyQueue queue = test::value_of(CopyQueue::open(test_gpu(), 64 * kGiB, 16 * kMiB));
    EXPECT_GE(queue.capacity(), 16 * kMiB);
    EXPECT_LT(queue.capacity(), 64 * kGiB);
    const Result<CopyQueue> none = CopyQueue::open(test_gpu(), 64 * kGiB, 32 * kGiB);
    ASSERT_FALSE(none.ok());
    EXPECT_NE(none.error().message.find("MiB left"), std::string::npos) << none.error().message;
}

// The counter grows while the load runs, in each direction, and the thread ends with the object.
void expect_progress(ggml_backend_dev_t device) {
    for (const CopyDirection direction :
         {CopyDirection::Up, CopyDirection::Down, CopyDirection::Alternating}) {
        const auto load = test::value_of(CopyLoad::start(device, {direction, 4 * kMiB}));
        const Bytes before = load->bytes();
        for (int i = 0; i < 200 && load->bytes() < before + 8 * kMiB; i++) {
            std::this_thread::sleep_for(10ms);
        }
        EXPECT_GE(load->bytes(), before + 8 * kMiB);
    }
}

TEST(CopyLoad, GoesOnUntilItEndsOnAGpu) {
    PSHARD_NEEDS_GPU();
    expect_progress(test_gpu());
}

TEST(CopyLoad, GoesOnUntilItEndsOnTheCpu) { expect_progress(test_cpu()); }

}  // namespace
}  // namespace pshard
