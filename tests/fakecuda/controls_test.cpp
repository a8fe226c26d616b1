// The negative controls: for each rule of the fake a small program that breaks it, and most often
// the same in order.
#include <thread>

#include <sys/mman.h>

#include "fakecuda/runtime.h"
#include "support/testing.h"

namespace pshard::fakecuda {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::size_t kPage = 4096;
constexpr std::size_t kMiB = std::size_t{1} << 20U;

// A kernel that reads its first argument and writes its second.
const char kKernel = 0;

class FakeCuda : public ::testing::Test {
protected:
    void SetUp() override { begin({}); }

    void begin(const Settings& settings) {
        runtime_.begin_again(settings);
        __cudaRegisterFunction(nullptr,
                               &kKernel,
                               nullptr,
                               "_Z6kernelPKfPf",
                               0,
                               nullptr,
                               nullptr,
                               nullptr,
                               nullptr,
                               nullptr);
        cudaStreamCreateWithFlags(&compute_, kNonBlocking);
        cudaStreamCreateWithFlags(&upload_, kNonBlocking);
        cudaEventCreateWithFlags(&event_, 0);
    }

    static void* device_bytes(std::size_t bytes) {
        void* data = nullptr;
        EXPECT_EQ(cudaMalloc(&data, bytes), kSuccess);
        return data;
    }

    static char* pinned_bytes(std::size_t bytes) {
        void* data = nullptr;
        EXPECT_EQ(cudaMallocHost(&data, bytes), kSuccess);
        return static_cast<char*>(data);
    }

    static char* pages(std::size_t bytes) {
        return static_cast<char*>(
            mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    }

    static int launch(Stream stream, const void* reads, const void* writes) {
        void* arguments[] = {&reads, &writes};
        Kernel kernel = nullptr;
        __cudaGetKernel(&kernel, &kKernel);
        return __cudaLaunchKernel(kernel, {}, {}, arguments, 0, stream);
    }

    static int up(void* to, const void* from, std::size_t bytes, Stream stream) {
        return cudaMemcpyAsync(to, from, bytes, kHostToDevice, stream);
    }

    void order_compute_after_upload() {
        cudaEventRecord(event_, upload_);
        cudaStreamWaitEvent(compute_, event_, 0);
    }

    [[nodiscard]] const std::vector<std::string>& faults() const { return runtime_.faults(); }

    Runtime& runtime_ = Runtime::of_process();
    Stream compute_ = nullptr;
    Stream upload_ = nullptr;
    Event event_ = nullptr;
};

TEST_F(FakeCuda, WantsAnUploadOrderedBeforeTheKernelThatReadsIt) {
    void* weights = device_bytes(kMiB);
    const char* file = pinned_bytes(kMiB);
    up(weights, file, kMiB, upload_);
    order_compute_after_upload();
    launch(compute_, weights, device_bytes(kPage));
    EXPECT_THAT(faults(), IsEmpty());

    up(weights, file, kMiB, upload_);
    EXPECT_THAT(faults(), ElementsAre(HasSubstr("overwrites what may still be read")));
    launch(compute_, weights, device_bytes(kPage));
    ASSERT_EQ(faults().size(), 2U);
    EXPECT_THAT(faults()[1], HasSubstr("reads what may not have been written yet"));
}

TEST_F(FakeCuda, KnowsWhatAnyThreadHasWaitedFor) {
    void* weights = device_bytes(kMiB);
    up(weights, pinned_bytes(kMiB), kMiB, upload_);
    cudaEventRecord(event_, upload_);
    std::thread([&] { cudaEventSynchronize(event_); }).join();
    launch(compute_, weights, device_bytes(kPage));
    EXPECT_THAT(faults(), IsEmpty());
}

TEST_F(FakeCuda, OrdersTheLegacyStreamWithBlockingStreamsOnly) {
    Stream blocking = nullptr;
    cudaStreamCreateWithFlags(&blocking, 0);
    void* data = device_bytes(kPage);
    cudaMemset(data, 0, kPage);
    up(data, pinned_bytes(kPage), kPage, blocking);
    EXPECT_THAT(faults(), IsEmpty());
    cudaMemset(data, 0, kPage);
    up(data, pinned_bytes(kPage), kPage, upload_);
    EXPECT_THAT(faults(), ElementsAre(HasSubstr("after cudaMemset")));
}

TEST_F(FakeCuda, GivesEachThreadAStreamOfItsOwn) {
    void* data = device_bytes(kPage);
    const char* file = pinned_bytes(kPage);
    up(data, file, kPage, per_thread_stream());
    std::thread([&] { up(data, file, kPage, per_thread_stream()); }).join();
    EXPECT_THAT(faults(), ElementsAre(HasSubstr("overwrites what may not have been written")));
}

TEST_F(FakeCuda, SeesTheHostChangeWhatIsBeingUploaded) {
    void* data = device_bytes(kPage);
    char* file = pinned_bytes(kPage);
    up(data, file, kPage, upload_);
    cudaStreamSynchronize(upload_);
    file[1] = 'a';
    up(data, file, kPage, upload_);
    file[1] = 'b';
    EXPECT_THAT(faults(), IsEmpty());
    cudaStreamSynchronize(upload_);
    EXPECT_THAT(faults(), ElementsAre(HasSubstr("the host changed page-locked memory")));
}

TEST_F(FakeCuda, CountsCopiesByTheirHostSide) {
    void* data = device_bytes(2 * kPage);
    std::vector<char> pageable(kPage);
    up(data, pageable.data(), kPage, upload_);
    up(data, pinned_bytes(kPage), kPage, upload_);
    cudaMemcpyAsync(pageable.data(), data, kPage, kDeviceToHost, upload_);
    EXPECT_EQ(runtime_.counts[kUploadsPageable], 1U);
    EXPECT_EQ(runtime_.counts[kUploadsLocked], 1U);
    EXPECT_EQ(runtime_.counts[kBytesDownPageable], kPage);
    EXPECT_EQ(pageable[4], 1);  // the second word that it brings
    EXPECT_THAT(faults(), IsEmpty());
}

TEST_F(FakeCuda, RefusesRegistrationAsDriversDo) {
    Settings settings;
    settings.lockable_bytes = 3 * kPage;
    begin(settings);
    char* file = pages(8 * kPage);
    EXPECT_EQ(cudaHostRegister(file, kPage, kRegisterReadOnly), kNotSupported);
    EXPECT_EQ(cudaHostRegister(file, 2 * kPage, 0), kSuccess);
    EXPECT_EQ(cudaHostRegister(file + kPage, 2 * kPage, 0), kAlreadyRegistered);
    EXPECT_EQ(cudaHostRegister(file + 2 * kPage, 2 * kPage, 0), kOutOfMemory);
    EXPECT_EQ(cudaHostUnregister(file), kSuccess);
    EXPECT_EQ(cudaHostUnregister(file), kNotRegistered);
    EXPECT_THAT(faults(), IsEmpty());
    EXPECT_EQ(cudaHostRegister(file + 1, kPage, 0), kSuccess);
    EXPECT_THAT(faults(), ElementsAre(HasSubstr("not whole pages")));
    munmap(file, 8 * kPage);
}

TEST_F(FakeCuda, LetsNoCopyGoWhereItsLockDoesNotHold) {
    Settings settings;
    settings.read_only_locks = true;
    begin(settings);
    char* file = pages(4 * kPage);
    void* data = device_bytes(4 * kPage);
    ASSERT_EQ(cudaHostRegister(file, 2 * kPage, kRegisterReadOnly), kSuccess);
    up(data, file, kPage, upload_);
    EXPECT_THAT(faults(), IsEmpty());
    up(data, file + kPage, 2 * kPage, upload_);
    EXPECT_THAT(faults().back(), HasSubstr("page-locked in part"));
    cudaStreamSynchronize(upload_);
    cudaMemcpyAsync(file, data, kPage, kDeviceToHost, upload_);
    EXPECT_THAT(faults().back(), HasSubstr("page-locked for reading only"));
    munmap(file, 4 * kPage);
    up(data, file, kPage, upload_);
    EXPECT_THAT(faults().back(), HasSubstr("unmapped while page-locked"));
}

TEST_F(FakeCuda, WantsMemoryUnregisteredBeforeItIsUnmapped) {
    char* file = pages(kPage);
    ASSERT_EQ(cudaHostRegister(file, kPage, 0), kSuccess);
    munmap(file, kPage);
    cudaHostUnregister(file);
    EXPECT_THAT(faults(), ElementsAre(HasSubstr("unmapped while it was registered")));
}

TEST_F(FakeCuda, WantsCopiesOverBeforeTheirMemoryIsUnregistered) {
    char* file = pages(kPage);
    ASSERT_EQ(cudaHostRegister(file, kPage, 0), kSuccess);
    up(device_bytes(kPage), file, kPage, upload_);
    cudaHostUnregister(file);
    EXPECT_THAT(faults(), ElementsAre(HasSubstr("cudaHostUnregister")));
    munmap(file, kPage);
}

TEST_F(FakeCuda, KeepsKernelsToLiveMemoryOfTheirDevice) {
    Settings settings;
    settings.n_devices = 2;
    begin(settings);
    void* data = device_bytes(kPage);
    std::vector<char> pageable(kPage);
    launch(compute_, nullptr, data);
    EXPECT_THAT(faults(), IsEmpty());
    launch(compute_, pageable.data(), data);
    EXPECT_THAT(faults().back(), HasSubstr("not the device's"));
    cudaFree(data);
    launch(compute_, nullptr, data);
    EXPECT_EQ(faults().size(), 2U);
    EXPECT_EQ(cudaFree(data), kInvalidValue);
    EXPECT_THAT(faults().back(), HasSubstr("not allocated"));
    cudaSetDevice(1);
    void* other = device_bytes(kPage);
    cudaSetDevice(0);
    launch(compute_, nullptr, other);
    EXPECT_THAT(faults().back(), HasSubstr("memory of another device"));
}

TEST_F(FakeCuda, KeepsEventsAndLaunchesToTheirDevice) {
    Settings settings;
    settings.n_devices = 2;
    begin(settings);
    cudaSetDevice(1);
    launch(compute_, nullptr, nullptr);
    EXPECT_THAT(faults(), ElementsAre(HasSubstr("device is not the thread's")));
    Event of_other = nullptr;
    cudaEventCreateWithFlags(&of_other, 0);
    EXPECT_EQ(cudaEventRecord(of_other, compute_), kInvalidHandle);
    EXPECT_THAT(faults().back(), HasSubstr("an event of one device"));
}

TEST_F(FakeCuda, TellsWhoMadeAContext) {
    Settings settings;
    settings.n_devices = 2;
    settings.context_bytes = 10 * kMiB;
    runtime_.begin_again(settings);
    int n = 0;
    EXPECT_EQ(cudaGetDeviceCount(&n), kSuccess);
    EXPECT_EQ(runtime_.counts[kContexts], 0U);
    cudaSetDevice(1);
    EXPECT_EQ(runtime_.counts[kContexts], 1U);
    cudaEventCreateWithFlags(&event_, 0);
    std::thread([&] { cudaEventSynchronize(event_); }).join();  // never said which device it means
    EXPECT_EQ(runtime_.counts[kContexts], 2U);
    EXPECT_THAT(runtime_.report(), HasSubstr("in cudaEventSynchronize\n"));
    EXPECT_EQ(runtime_.memory.peak(0)[static_cast<std::size_t>(MemoryKind::Contexts)], 10 * kMiB);
}

TEST_F(FakeCuda, LimitsAndCountsDeviceMemory) {
    Settings settings;
    settings.memory_bytes = 10 * kMiB;
    settings.context_bytes = kMiB;
    begin(settings);
    void* data = device_bytes(4 * kMiB);
    void* more = nullptr;
    EXPECT_EQ(cudaMalloc(&more, 6 * kMiB), kOutOfMemory);
    EXPECT_EQ(cudaGetLastError(), kOutOfMemory);
    EXPECT_EQ(cudaGetLastError(), kSuccess);
    const AllocationProperties on_first{};
    unsigned long long handle = 0;
    EXPECT_EQ(cuMemCreate(&handle, 2 * kMiB, &on_first, 0), kSuccess);
    EXPECT_EQ(cudaFree(data), kSuccess);
    std::size_t free = 0;
    std::size_t total_bytes = 0;
    EXPECT_EQ(cudaMemGetInfo(&free, &total_bytes), kSuccess);
    EXPECT_EQ(free, 7 * kMiB);
    EXPECT_THAT(runtime_.memory.peak(0), ElementsAre(4 * kMiB, 2 * kMiB, 0, kMiB));
}

TEST_F(FakeCuda, FailsTheNthCall) {
    Settings settings;
    settings.failing_calls = {{"cudaMalloc", 2}};
    begin(settings);
    void* data = nullptr;
    EXPECT_EQ(cudaMalloc(&data, kPage), kSuccess);
    EXPECT_EQ(cudaMalloc(&data, kPage), kOutOfMemory);
    EXPECT_EQ(cudaMalloc(&data, kPage), kSuccess);
}

TEST_F(FakeCuda, WantsPoolsIdleBeforeTheyAreUnmapped) {
    const AllocationProperties on_first{};
    unsigned long long handle = 0;
    std::uintptr_t address = 0;
    ASSERT_EQ(cuMemCreate(&handle, 2 * kMiB, &on_first, 0), kSuccess);
    ASSERT_EQ(cuMemAddressReserve(&address, 4 * kMiB, 0, 0, 0), kSuccess);
    ASSERT_EQ(cuMemMap(address, 2 * kMiB, 0, handle, 0), kSuccess);
    ASSERT_EQ(cuMemRelease(handle), kSuccess);
    launch(compute_, nullptr, reinterpret_cast<void*>(address));
    EXPECT_THAT(faults(), IsEmpty());
    EXPECT_EQ(cuMemUnmap(address, 2 * kMiB), kSuccess);
    EXPECT_THAT(faults(), ElementsAre(HasSubstr("cuMemUnmap")));
    EXPECT_EQ(cuMemAddressFree(address, 4 * kMiB), kSuccess);
}

TEST_F(FakeCuda, RefusesCallsAfterTheExit) {
    void* data = device_bytes(kPage);
    runtime_.unload();
    EXPECT_EQ(cudaFree(data), kUnloading);
    EXPECT_THAT(faults(), ElementsAre("cudaFree is called after the exit"));
}

class FakeCudaCapture : public FakeCuda {
protected:
    void SetUp() override {
        FakeCuda::SetUp();
        data_ = device_bytes(kPage);
        ASSERT_EQ(cudaStreamBeginCapture(compute_, kCaptureRelaxed), kSuccess);
    }

    int end() { return cudaStreamEndCapture(compute_, &graph_); }

    GraphExec instance() {
        GraphExec exec = nullptr;
        EXPECT_EQ(end(), kSuccess);
        EXPECT_EQ(cudaGraphInstantiate(&exec, graph_, 0), kSuccess);
        return exec;
    }

    void* data_ = nullptr;
    Graph graph_ = nullptr;
};

TEST_F(FakeCudaCapture, RunsKernelsWhenTheGraphIsLaunched) {
    launch(compute_, nullptr, data_);
    launch(compute_, data_, nullptr);
    EXPECT_EQ(runtime_.counts[kKernels], 0U);
    GraphExec exec = instance();
    cudaGraphLaunch(exec, compute_);
    cudaGraphLaunch(exec, compute_);
    EXPECT_EQ(runtime_.counts[kKernels], 4U);
    EXPECT_EQ(runtime_.counts[kLaunches], 2U);
    EXPECT_EQ(runtime_.memory.peak(0)[static_cast<std::size_t>(MemoryKind::Graphs)],
              2 * runtime_.settings.graph_node_bytes);
    EXPECT_EQ(cudaGraphExecDestroy(exec), kSuccess);
    EXPECT_THAT(faults(), IsEmpty());
}

TEST_F(FakeCudaCapture, HoldsAReplayToTheMemoryOfItsKernels) {
    launch(compute_, nullptr, data_);
    GraphExec exec = instance();
    up(data_, pinned_bytes(kPage), kPage, upload_);
    cudaGraphLaunch(exec, compute_);
    EXPECT_THAT(faults(), ElementsAre(HasSubstr("nothing orders it after cudaMemcpyAsync")));
    cudaFree(data_);
    cudaGraphLaunch(exec, compute_);
    EXPECT_THAT(faults().back(), HasSubstr("not the device's"));
}

TEST_F(FakeCudaCapture, LetsNobodyWaitForWhatIsCaptured) {
    EXPECT_EQ(cudaStreamSynchronize(compute_), kCaptureUnsupported);
    cudaEventRecord(event_, compute_);
    EXPECT_EQ(cudaEventSynchronize(event_), kCapturedEvent);
    EXPECT_EQ(faults().size(), 2U);
}

TEST_F(FakeCudaCapture, WantsForksJoined) {
    cudaEventRecord(event_, compute_);
    cudaStreamWaitEvent(upload_, event_, 0);  // a fork
    launch(upload_, nullptr, data_);
    EXPECT_EQ(end(), kCaptureUnjoined);
    EXPECT_THAT(faults(), ElementsAre(HasSubstr("streams that it forked")));

    cudaStreamBeginCapture(compute_, kCaptureRelaxed);
    cudaEventRecord(event_, compute_);
    cudaStreamWaitEvent(upload_, event_, 0);
    launch(upload_, nullptr, data_);
    cudaEventRecord(event_, upload_);
    cudaStreamWaitEvent(compute_, event_, 0);
    EXPECT_EQ(end(), kSuccess);
    EXPECT_EQ(faults().size(), 1U);
}

TEST_F(FakeCudaCapture, KeepsToItself) {
    EXPECT_EQ(cudaStreamBeginCapture(compute_, kCaptureRelaxed), kCaptureUnsupported);
    EXPECT_EQ(cudaStreamBeginCapture(nullptr, kCaptureRelaxed), kCaptureUnsupported);
    EXPECT_EQ(cudaStreamEndCapture(upload_, &graph_), kCaptureUnmatched);
    cudaEventRecord(event_, upload_);
    EXPECT_EQ(cudaStreamWaitEvent(compute_, event_, 0), kCaptureIsolation);
    EXPECT_EQ(faults().size(), 4U);
}

TEST_F(FakeCudaCapture, WantsNoHostMemoryInAGraph) {
    std::vector<char> pageable(kPage);
    up(data_, pageable.data(), kPage, compute_);
    EXPECT_THAT(faults(), ElementsAre(HasSubstr("a replay would copy it again")));
}

TEST_F(FakeCudaCapture, RestrictsOtherCallsByItsMode) {
    device_bytes(kPage);
    EXPECT_THAT(faults(), IsEmpty());
    end();
    cudaStreamBeginCapture(compute_, kCaptureGlobal);
    device_bytes(kPage);
    EXPECT_THAT(faults(), ElementsAre(HasSubstr("cudaMalloc is called while a restricted")));
}

TEST_F(FakeCudaCapture, ForbidsTheLegacyStreamBesideABlockingOne) {
    Stream blocking = nullptr;
    cudaStreamCreateWithFlags(&blocking, 0);
    cudaStreamBeginCapture(blocking, kCaptureRelaxed);
    cudaMemset(data_, 0, kPage);
    EXPECT_THAT(faults(), ElementsAre(HasSubstr("the legacy stream is used")));
}

TEST(FakeCudaSignatures, AreReadFromMangledNames) {
    using enum Argument;
    const Signature norm = signature_of("_Z12rms_norm_f32ILi256ELb0EEvPKfPfif");
    EXPECT_EQ(norm.name, "rms_norm_f32");
    EXPECT_THAT(norm.arguments, ElementsAre(Reads, Writes, Value, Value));
    const Signature fused = signature_of("_Z3mmvPKvS0_31ggml_cuda_mm_fusion_args_devicePf5uint3");
    EXPECT_THAT(fused.arguments, ElementsAre(Reads, Reads, Fusion, Writes, Value));
    EXPECT_THAT(signature_of("main").arguments, IsEmpty());
}

TEST(FakeCudaSettings, AreReadFromTheEnvironment) {
    const char* environment[] = {"FAKECUDA_DEVICES=2",
                                 "FAKECUDA_MEMORY_MIB=16",
                                 "FAKECUDA_READ_ONLY_LOCKS=1",
                                 "FAKECUDA_FAIL=cudaMalloc:3,cuMemCreate:1",
                                 nullptr};
    const ParsedSettings parsed = read_settings(environment);
    EXPECT_EQ(parsed.problem, "");
    EXPECT_EQ(parsed.settings.n_devices, 2);
    EXPECT_EQ(parsed.settings.memory_bytes, 16 * kMiB);
    EXPECT_TRUE(parsed.settings.read_only_locks);
    EXPECT_EQ(parsed.settings.failing_calls.at("cudaMalloc"), 3);
    const char* wrong[] = {"FAKECUDA_DEVICES=two", nullptr};
    EXPECT_THAT(read_settings(wrong).problem, HasSubstr("cannot be 'two'"));
}

}  // namespace
}  // namespace pshard::fakecuda
