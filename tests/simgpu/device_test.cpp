// The device as ggml sees it, and the faults that its checker finds in what ggml is asked to do.
#include <dlfcn.h>

#include "build_paths.h"
#include "simgpu/sim_device.h"
#include "simgpu/tensor_access.h"
#include "support/testing.h"

namespace pshard::simgpu {
namespace {

using Device = OnSimGpu;
using Faults = OnSimGpu;

constexpr std::int64_t kN = 1024;

TEST_F(Device, IsAnAsynchronousGpu) {
    ggml_backend_dev_props props{};
    ggml_backend_dev_get_props(&device.gpu.device, &props);
    EXPECT_STREQ(props.name, "SIM0");
    EXPECT_EQ(props.type, GGML_BACKEND_DEVICE_TYPE_GPU);
    EXPECT_TRUE(props.caps.async && props.caps.events && props.caps.host_buffer);
    EXPECT_FALSE(props.caps.buffer_from_host_ptr);
    EXPECT_FALSE(ggml_backend_buft_is_host(&device.gpu.buffer_type));
    EXPECT_TRUE(ggml_backend_buft_is_host(&device.gpu.host_buffer_type));
    EXPECT_TRUE(ggml_backend_dev_supports_buft(&device.gpu.device, &device.gpu.buffer_type));
    EXPECT_FALSE(ggml_backend_dev_supports_buft(&device.gpu.device, &device.gpu.host_buffer_type));
}

TEST_F(Device, RefusesMemoryThatItHasNot) {
    Settings settings = counting();
    settings.memory_bytes = 1 << 20U;
    SimDevice small(settings);
    std::size_t free = 0;
    std::size_t total = 0;
    const BufferHandle half(ggml_backend_buft_alloc_buffer(&small.gpu.buffer_type, 512 << 10U));
    ASSERT_NE(half, nullptr);
    ggml_backend_dev_memory(&small.gpu.device, &free, &total);
    EXPECT_EQ(free, 512U << 10U);
    EXPECT_EQ(total, 1U << 20U);
    EXPECT_EQ(ggml_backend_buft_alloc_buffer(&small.gpu.buffer_type, (512 << 10U) + 1), nullptr);
}

// A context at the first question, kernels when one runs; each once.
TEST_F(Device, TakesMemoryForItself) {
    Settings settings = counting();
    settings.memory_bytes = 8 << 20U;
    settings.context_bytes = 1 << 20U;
    settings.kernel_bytes = 2 << 20U;
    SimDevice small(settings);
    const auto free_mib = [&] {
        std::size_t free = 0;
        std::size_t total = 0;
        ggml_backend_dev_memory(&small.gpu.device, &free, &total);
        return free >> 20U;
    };
    EXPECT_EQ(small.gpu.memory.free_bytes() >> 20U, 8U);
    EXPECT_EQ(free_mib(), 7U);
    EXPECT_EQ(free_mib(), 7U);
    small.gpu.count_kernel();
    small.gpu.count_kernel();
    EXPECT_EQ(free_mib(), 5U);
}

// 100 elements of q8_0 are not possible; 96 are 3 blocks of 34 bytes, padded to 512: 16 blocks.
TEST_F(Device, PadsRowsOfQuantizedTensors) {
    ggml_tensor* w = ggml_new_tensor_2d(device.context(), GGML_TYPE_Q8_0, 96, 2);
    EXPECT_EQ(ggml_backend_buft_get_alloc_size(&device.gpu.buffer_type, w), (3 * 2 + 13) * 34u);
    device.placed(w, "w");
    const auto* bytes = static_cast<const unsigned char*>(w->data);
    EXPECT_EQ(bytes[0], 0xff);
    EXPECT_EQ(bytes[3 * 2 * 34 - 1], 0xff);
    EXPECT_EQ(bytes[3 * 2 * 34], 0);  // as CUDA's init_tensor leaves it
}

TEST_F(Device, OffloadsBatches) {
    ggml_tensor* w = device.tensor("w", 64 * 64);
    ggml_tensor* square = ggml_reshape_2d(device.context(), w, 64, 64);
    ggml_tensor* row = ggml_view_2d(device.context(), w, 64, 31, 256, 0);
    ggml_tensor* small = ggml_mul_mat(device.context(), square, row);
    ggml_tensor* large = ggml_mul_mat(device.context(), square, square);
    EXPECT_TRUE(ggml_backend_dev_supports_op(&device.gpu.device, small));
    EXPECT_FALSE(ggml_backend_dev_offload_op(&device.gpu.device, small));
    EXPECT_TRUE(ggml_backend_dev_offload_op(&device.gpu.device, large));
}

TEST_F(Device, ComesThroughTheDoor) {
    load_ggml_backends(PSHARD_LLAMA_BIN_DIR);
    void* library = dlopen(PSHARD_SIMGPU_BACKEND, RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(library, nullptr) << dlerror();
    const auto init = reinterpret_cast<ggml_backend_init_t>(dlsym(library, "ggml_backend_init"));
    ASSERT_NE(init, nullptr);
    ggml_backend_reg_t reg = init();
    ASSERT_NE(reg, nullptr);
    EXPECT_EQ(reg, init());
    ASSERT_EQ(ggml_backend_reg_dev_count(reg), 1u);
    EXPECT_STREQ(ggml_backend_dev_name(ggml_backend_reg_dev_get(reg, 0)), "SIM0");
    dlclose(library);
}

// What the checker finds is in checker_test.cpp; here, that each call tells it what it touches.
TEST_F(Faults, AreOneForEachWaitThatIsMissing) {
    ggml_tensor* x = device.tensor("x", kN);
    ggml_tensor* y = ggml_sqr(device.context(), x);
    ggml_cgraph* graph = device.graph(y);
    const float* host = device.pinned(kN, 5);
    ggml_backend_graph_compute(queue.get(), graph);
    EXPECT_EQ(device.faults(), 1u) << "a kernel reads what nobody wrote";
    ggml_backend_tensor_set_async(other.get(), x, host, 0, ggml_nbytes(x));
    ggml_backend_graph_compute_async(queue.get(), graph);
    EXPECT_EQ(device.faults(), 2u) << "a kernel does not wait for the upload";
    ggml_backend_synchronize(other.get());
    ggml_backend_graph_compute_async(queue.get(), graph);
    ggml_backend_tensor_set_async(other.get(), x, host, 0, ggml_nbytes(x));
    EXPECT_EQ(device.faults(), 3u) << "an upload does not wait for the kernel";
    device.first(y);
    EXPECT_EQ(device.faults(), 4u) << "the host does not wait for the kernel";
    ggml_backend_synchronize(queue.get());
    device.first(y);
    EXPECT_EQ(device.faults(), 4u);
}

TEST_F(Faults, AKernelReadsHostMemory) {
    ggml_tensor* x = device.filled("x", kN, 1);
    ggml_cgraph* graph = device.graph(ggml_sqr(device.context(), x));
    void* data = x->data;
    x->data = device.pinned(kN, 1);
    ggml_backend_graph_compute(queue.get(), graph);
    x->data = data;
    EXPECT_EQ(device.faults(), 1u);
}

TEST_F(Faults, ACacheThatWasClearedIsWritten) {
    ggml_tensor* cache = device.tensor("cache", kN);
    ggml_backend_buffer_clear(cache->buffer, 0);
    ggml_cgraph* graph = device.graph(ggml_sqr(device.context(), cache));
    ggml_backend_graph_compute(queue.get(), graph);
    EXPECT_EQ(device.faults(), 0u);
}

// Columns 0..15 of 4 rows of 32 were written: those may be read; of the others none, not even of
// those that lie between written ones.
TEST_F(Faults, AViewIsItsRowsAlone) {
    ggml_tensor* x = device.tensor("x", 32 * 4);
    ggml_context* c = device.context();
    ggml_tensor* left = ggml_view_2d(c, x, 16, 4, 128, 0);
    ggml_tensor* right = ggml_view_2d(c, x, 16, 3, 128, 64);
    ggml_tensor* source = ggml_reshape_2d(c, device.filled("source", 64, 1), 16, 4);
    ggml_backend_graph_compute(queue.get(), device.graph(ggml_cpy(c, source, left)));
    ggml_backend_graph_compute(queue.get(), device.graph(ggml_cont(c, left)));
    EXPECT_EQ(device.faults(), 0u);
    ggml_backend_graph_compute(queue.get(), device.graph(ggml_cont(c, right)));
    EXPECT_EQ(device.faults(), 1u);
}

// Experts 0 and 1 of four are uploaded; the batch uses `used`.
unsigned long faults_of_experts(std::int32_t used) {
    SimDevice device;
    const BackendHandle queue = device.queue();
    ggml_context* c = device.context();
    ggml_tensor* w = ggml_new_tensor_3d(c, GGML_TYPE_F32, 32, 8, 4);
    device.placed(w, "w");
    const std::vector<float> half(32 * 8 * 2, 1);
    ggml_backend_tensor_set(w, half.data(), 0, half.size() * sizeof(float));
    ggml_tensor* x = ggml_reshape_3d(c, device.filled("x", 32, 1), 32, 1, 1);
    ggml_tensor* ids = ggml_new_tensor_2d(c, GGML_TYPE_I32, 1, 1);
    device.placed(ids, "ids");
    ggml_backend_tensor_set(ids, &used, 0, sizeof used);
    ggml_backend_graph_compute(queue.get(), device.graph(ggml_mul_mat_id(c, w, x, ids)));
    return device.faults();
}

TEST_F(Faults, AnExpertThatIsUsedMustBeThere) {
    EXPECT_EQ(faults_of_experts(0), 0u);
    EXPECT_EQ(faults_of_experts(1), 0u);
    EXPECT_EQ(faults_of_experts(2), 1u);
    EXPECT_EQ(faults_of_experts(3), 1u);
}

TEST_F(Faults, ARowThatIsUsedMustBeThere) {
    ggml_context* c = device.context();
    ggml_tensor* x = ggml_reshape_2d(c, device.tensor("x", 32 * 4), 32, 4);
    const std::vector<float> row(32, 1);
    ggml_backend_tensor_set(x, row.data(), 2 * 128, 128);
    ggml_tensor* ids = ggml_new_tensor_1d(c, GGML_TYPE_I32, 1);
    device.placed(ids, "ids");
    for (const std::int32_t id : {2, 3}) {
        ggml_backend_tensor_set(ids, &id, 0, sizeof id);
        ggml_backend_graph_compute(queue.get(), device.graph(ggml_get_rows(c, x, ids)));
        EXPECT_EQ(device.faults(), id == 2 ? 0u : 1u);
    }
}

TEST_F(Faults, EndTheProgramWhereTheyShould) {
    Settings settings;
    ASSERT_EQ(settings.on_fault, OnFault::Abort);
    Watch watch(settings.on_fault);
    const Access access{{1, 2}, true, Memory::Device, "x"};
    EXPECT_DEATH(watch.run(kHost, "set_tensor x", {&access, 1}),
                 "simgpu: fault: set_tensor x on the host touches memory that is not the device's");
}

TEST_F(Faults, AreNotLookedForWhereTheyShouldNot) {
    Watch watch(OnFault::Ignore);
    const Access access{{1, 2}, true, Memory::Device, "x"};
    watch.run(kHost, "set_tensor x", {&access, 1});
    EXPECT_EQ(watch.n_faults(), 0u);
}

}  // namespace
}  // namespace pshard::simgpu
