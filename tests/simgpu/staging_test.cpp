// Copies of memory that is not page-locked, on a simulated GPU that copies as late as it may.
#include "runtime/staging.h"
#include "simgpu/host_ranges.h"
#include "simgpu/sim_device.h"
#include "support/testing.h"

namespace pshard::simgpu {
namespace {

using testing::ElementsAreArray;

// So many floats fill the ring twice, and a bit.
constexpr std::size_t kFloats = (2 * Staging::kParts + 1) * Staging::kPart / sizeof(float) + 5;

std::vector<float> ramp(std::size_t n) {
    std::vector<float> values(n);
    std::iota(values.begin(), values.end(), 1.0F);
    return values;
}

Bytes bytes_of(const std::vector<float>& values) { return values.size() * sizeof(float); }

std::unique_ptr<Queue> queue_on(SimDevice& device) {
    Result<std::unique_ptr<Queue>> queue = Queue::open(&device.gpu.device);
    EXPECT_TRUE(queue.ok());
    return std::move(queue).value();
}

class StagingTest : public testing::Test {
protected:
    ggml_tensor* tensor(std::size_t n) { return device_.tensor("x", std::int64_t(n)); }

    std::vector<float> values_of(const ggml_tensor* x, std::size_t n) {
        std::vector<float> values(n);
        ggml_backend_tensor_get(x, values.data(), 0, bytes_of(values));
        return values;
    }

    static Settings large() {
        Settings settings = counting();
        settings.memory_bytes = std::size_t{64} << 20U;
        return settings;
    }

    SimDevice device_{large()};
    PageLocks locks_{&device_.gpu.device, 64 * kMiB};
    std::unique_ptr<Queue> queue_ = queue_on(device_);
    Staging link_{&device_.gpu.device, *queue_, locks_};
};

TEST_F(StagingTest, UploadsMoreThanItHolds) {
    const std::vector<float> host = ramp(kFloats);
    ggml_tensor* x = tensor(kFloats);
    Hold hold(queue_->backend());
    const LetGoLater later(hold);
    link_.upload(*x, host.data(), 0, bytes_of(host));
    link_.finish();
    EXPECT_THAT(values_of(x, kFloats), ElementsAreArray(host));
    EXPECT_EQ(device_.faults(), 0u);
}

TEST_F(StagingTest, DownloadsMoreThanItHolds) {
    const std::vector<float> values = ramp(kFloats);
    ggml_tensor* x = tensor(kFloats);
    ggml_backend_tensor_set(x, values.data(), 0, bytes_of(values));
    std::vector<float> host(kFloats);
    link_.download(*x, host.data(), 0, bytes_of(host));
    link_.finish();
    EXPECT_THAT(host, ElementsAreArray(values));
    EXPECT_EQ(device_.faults(), 0u);
}

// What the caller may do with its memory once upload() is back.
TEST_F(StagingTest, ReadsMemoryThatIsNotLockedAtOnce) {
    std::vector<float> host = ramp(64);
    const std::vector<float> first = host;
    ggml_tensor* x = tensor(64);
    link_.upload(*x, host.data(), 0, bytes_of(host));
    host.assign(64, -1);
    link_.finish();
    EXPECT_THAT(values_of(x, 64), ElementsAreArray(first));
}

TEST_F(StagingTest, ManySmallCopiesShareAPart) {
    constexpr std::size_t kCopies = 3000;
    const std::vector<float> host = ramp(kCopies * 3);
    std::vector<float> back(kCopies * 3);
    ggml_tensor* x = tensor(kCopies * 3);
    for (std::size_t i = 0; i < kCopies; ++i) {
        const Bytes at = 3 * i * sizeof(float);
        link_.upload(*x, host.data() + 3 * i, at, 3 * sizeof(float));
        link_.download(*x, back.data() + 3 * i, at, 3 * sizeof(float));
    }
    link_.finish();
    EXPECT_THAT(back, ElementsAreArray(host));
    EXPECT_EQ(device_.faults(), 0u);
}

// Locked memory is copied from where it lies, later; and never copied to at once.
TEST_F(StagingTest, LockedMemoryIsReadInPlaceAndNotWrittenByTheDevice) {
    constexpr std::size_t kMany = 1 << 16U;
    std::vector<float> host(3 * kMany, 1);
    const PageLocks::Lock lock = locks_.lock(
        {{{reinterpret_cast<const std::byte*>(host.data() + kMany), kMany * sizeof(float)}}});
    ASSERT_GT(lock.bytes(), 0u);
    ggml_tensor* x = tensor(kMany);
    Hold hold(queue_->backend());
    link_.upload(*x, host.data() + kMany, 0, kMany * sizeof(float));
    host[kMany] = 2;
    hold.let_go();
    link_.finish();
    EXPECT_EQ(device_.first(x), 2);
    host[kMany] = 0;
    link_.download(*x, host.data() + kMany, 0, kMany * sizeof(float));
    link_.finish();
    EXPECT_EQ(host[kMany], 2);
    EXPECT_EQ(device_.faults(), 0u);
}

// Three pieces and zeroes, more than a part of the ring, from places that are no neighbours.
TEST_F(StagingTest, GathersPiecesOfASlotAndScattersThem) {
    constexpr std::size_t kPiece = Staging::kPart / sizeof(float) / 2;
    const Bytes bytes = kPiece * sizeof(float);
    std::vector<float> host = ramp(4 * kPiece);
    const auto at = [&](std::size_t i) { return reinterpret_cast<std::byte*>(&host[i * kPiece]); };
    ggml_tensor* x = tensor(4 * kPiece);
    link_.upload(*x, {{0, bytes, at(2)}, {bytes, bytes, nullptr}, {2 * bytes, bytes, at(0)}});
    link_.finish();
    std::vector<float> expected(host.begin() + 2 * kPiece, host.begin() + 3 * kPiece);
    expected.resize(2 * kPiece, 0);
    expected.insert(expected.end(), host.begin(), host.begin() + kPiece);
    EXPECT_THAT(values_of(x, 3 * kPiece), ElementsAreArray(expected));
    link_.download(*x, {{bytes - 4, 8, at(3)}, {2 * bytes, bytes, at(1)}});
    link_.finish();
    EXPECT_THAT(std::vector(host.begin() + kPiece, host.begin() + 2 * kPiece),
                ElementsAreArray(host.begin(), host.begin() + kPiece));
    EXPECT_EQ(host[3 * kPiece], expected[kPiece - 1]);
    EXPECT_EQ(host[3 * kPiece + 1], 0);
    EXPECT_EQ(device_.faults(), 0u);
}

}  // namespace
}  // namespace pshard::simgpu
