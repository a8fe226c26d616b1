// What an asynchronous copy may do late, it does late.
#include "simgpu/sim_device.h"
#include "support/sanitizer.h"
#include "support/testing.h"

namespace pshard::simgpu {
namespace {

using Copies = OnSimGpu;

constexpr std::int64_t kN = 1024;
constexpr std::size_t kBytes = kN * sizeof(float);

bool is_poison(const float* value) {
    const unsigned char poison[4] = {0xab, 0xab, 0xab, 0xab};
    return std::memcmp(value, poison, sizeof poison) == 0;
}

TEST_F(Copies, AnUploadFromPinnedMemoryReadsItWhenItsTurnComes) {
    ggml_tensor* x = device.tensor("x", kN);
    float* host = device.pinned(kN, 1);
    Hold hold(queue);
    ggml_backend_tensor_set_async(queue.get(), x, host, 0, kBytes);
    host[0] = 2;
    hold.let_go();
    ggml_backend_synchronize(queue.get());
    EXPECT_EQ(device.first(x), 2);
}

TEST_F(Copies, AnUploadFromPageableMemoryReadsItAtOnce) {
    ggml_tensor* x = device.tensor("x", kN);
    std::vector<float> host(kN, 1);
    Hold hold(queue);
    ggml_backend_tensor_set_async(queue.get(), x, host.data(), 0, kBytes);
    host[0] = 2;
    hold.let_go();
    ggml_backend_synchronize(queue.get());
    EXPECT_EQ(device.first(x), 1);
}

// [ registered | registered ]: each half is pinned, a copy across the border is not.
TEST_F(Copies, RegisteredMemoryIsPinnedUpToItsBorder) {
    ggml_tensor* x = device.tensor("x", kN);
    ggml_tensor* y = device.tensor("y", kN / 2);
    std::vector<float> host(kN, 1);
    ggml_backend_reg_t reg = &device.gpu.reg;
    const auto lock = reinterpret_cast<bool (*)(void*, std::size_t)>(
        ggml_backend_reg_get_proc_address(reg, "ggml_backend_register_host_buffer"));
    const auto unlock = reinterpret_cast<void (*)(void*)>(
        ggml_backend_reg_get_proc_address(reg, "ggml_backend_unregister_host_buffer"));
    ASSERT_TRUE(lock(host.data(), kBytes / 2));
    ASSERT_TRUE(lock(host.data() + kN / 2, kBytes / 2));
    Hold hold(queue);
    ggml_backend_tensor_set_async(queue.get(), x, host.data(), 0, kBytes);
    ggml_backend_tensor_set_async(queue.get(), y, host.data(), 0, kBytes / 2);
    host[0] = 2;
    hold.let_go();
    ggml_backend_synchronize(queue.get());
    unlock(host.data());
    unlock(host.data() + kN / 2);
    EXPECT_EQ(device.first(x), 1);
    EXPECT_EQ(device.first(y), 2);
}

// ggml's CUDA backend locks memory in place for reading alone.
TEST_F(Copies, RegisteredMemoryIsNotTheDevicesToWrite) {
    const ggml_tensor* x = device.filled("x", kN, 3);
    std::vector<float> host(kN, 1);
    HostRanges& ranges = HostRanges::of_process();
    ASSERT_TRUE(ranges.add(host.data() + kN / 2, kBytes / 2, HostRanges::Kind::Registered));
    ggml_backend_tensor_get_async(queue.get(), x, host.data(), 0, kBytes / 2);
    EXPECT_EQ(device.faults(), 0u);
    ggml_backend_tensor_get_async(queue.get(), x, host.data(), 0, kBytes);
    EXPECT_EQ(device.faults(), 1u);
    ggml_backend_tensor_get(x, host.data() + kN / 2, 0, sizeof(float));
    EXPECT_EQ(device.faults(), 2u);
    ranges.remove(host.data() + kN / 2);
}

TEST_F(Copies, ADownloadToPinnedMemoryLeavesPoisonUntilItIsThere) {
    const ggml_tensor* x = device.filled("x", kN, 3);
    float* host = device.pinned(kN, 1);
    Hold hold(queue);
    ggml_backend_tensor_get_async(queue.get(), x, host, 0, kBytes);
    EXPECT_TRUE(is_poison(host));
    EXPECT_TRUE(is_poison(host + kN - 1));
    hold.let_go();
    ggml_backend_synchronize(queue.get());
    EXPECT_EQ(host[0], 3);
    EXPECT_EQ(host[kN - 1], 3);
}

TEST_F(Copies, ADownloadToPageableMemoryIsThereWhenTheCallReturns) {
    const ggml_tensor* x = device.filled("x", kN, 3);
    std::vector<float> host(kN, 1);
    Hold hold(queue);
    const LetGoLater later(hold);
    ggml_backend_tensor_get_async(queue.get(), x, host.data(), 0, kBytes);
    EXPECT_EQ(host[0], 3);
    EXPECT_EQ(host[kN - 1], 3);
}

// One queue: up from the memory, then down into it. In order, so the poison must not come between.
TEST_F(Copies, MemoryThatIsStillToBeReadIsNotPoisoned) {
    ggml_tensor* x = device.tensor("x", kN);
    const ggml_tensor* y = device.filled("y", kN, 3);
    float* host = device.pinned(kN, 1);
    Hold hold(queue);
    ggml_backend_tensor_set_async(queue.get(), x, host, 0, kBytes);
    ggml_backend_tensor_get_async(queue.get(), y, host, 0, kBytes);
    hold.let_go();
    ggml_backend_synchronize(queue.get());
    EXPECT_EQ(device.first(x), 1);
    EXPECT_EQ(host[0], 3);
    EXPECT_EQ(device.faults(), 0u);
}

TEST_F(Copies, TwoQueuesMustAgreeOnHostMemory) {
    PSHARD_RACES_ON_PURPOSE();
    ggml_tensor* x = device.tensor("x", kN);
    const ggml_tensor* y = device.filled("y", kN, 3);
    float* host = device.pinned(kN, 1);
    ggml_backend_tensor_set_async(queue.get(), x, host, 0, kBytes);
    ggml_backend_tensor_get_async(other.get(), y, host, 0, kBytes);
    EXPECT_EQ(device.faults(), 1u);
}

// 1 MiB at 0.02 GB/s is 52 ms; pageable, at a half of it, 105 ms, all of them in the call.
TEST_F(Copies, TakeAtLeastTheLinksTime) {
    Settings settings = counting();
    settings.h2d_gbps = 0.02;
    settings.pageable_share = 0.5;
    SimDevice slow(settings);
    const BackendHandle stream = slow.queue();
    constexpr std::size_t kFloats = 1 << 18U;
    ggml_tensor* x = slow.tensor("x", kFloats);
    const float* pinned = slow.pinned(kFloats, 1);
    const std::vector<float> pageable(kFloats, 2);
    Clock::time_point start = Clock::now();
    ggml_backend_tensor_set_async(stream.get(), x, pinned, 0, ggml_nbytes(x));
    ggml_backend_synchronize(stream.get());
    EXPECT_GE(Clock::now() - start, seconds(0.052));
    start = Clock::now();
    ggml_backend_tensor_set_async(stream.get(), x, pageable.data(), 0, ggml_nbytes(x));
    EXPECT_GE(Clock::now() - start, seconds(0.104));
    ggml_backend_synchronize(stream.get());
    EXPECT_EQ(slow.first(x), 2);
    EXPECT_EQ(slow.gpu.stats().bytes_h2d, 2 * ggml_nbytes(x));
}

TEST_F(Copies, FromQueueToQueueTheOtherWaits) {
    ggml_tensor* x = device.filled("x", kN, 3);
    ggml_tensor* y = device.tensor("y", kN);
    float* host = device.pinned(kN, 1);
    Hold hold(queue);
    ggml_backend_tensor_copy_async(queue.get(), other.get(), x, y);
    ggml_backend_tensor_get_async(other.get(), y, host, 0, kBytes);
    EXPECT_TRUE(is_poison(host));
    const LetGoLater later(hold);
    ggml_backend_synchronize(other.get());
    EXPECT_EQ(host[0], 3);
    EXPECT_EQ(device.faults(), 0u);
}

}  // namespace
}  // namespace pshard::simgpu
