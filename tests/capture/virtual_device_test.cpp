#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml-cpp.h>
#include <ggml-impl.h>
#include <ggml.h>
#include <llama.h>

#include "capture/device_model.h"
#include "capture/log_capture.h"
#include "capture/virtual_device.h"
#include "support/testing.h"

namespace pshard {
namespace {

ggml_context_ptr new_context() { return ggml_context_ptr(ggml_init({1024 * 1024, nullptr, true})); }

ggml_tensor* named(ggml_tensor* tensor, const char* name) {
    ggml_set_name(tensor, name);
    return tensor;
}

class VirtualDeviceTest : public testing::Test {
protected:
    static VirtualDeviceSpec spec(bool offload = false) {
        return {.policy = make_device_model("cuda"), .offload = offload};
    }

    VirtualDevice device_{spec()};
};

TEST_F(VirtualDeviceTest, LooksLikeAGpuOfAnySize) {
    EXPECT_STREQ(ggml_backend_dev_name(device_.device()), "PSHARD0");
    EXPECT_EQ(ggml_backend_dev_type(device_.device()), GGML_BACKEND_DEVICE_TYPE_GPU);
    std::size_t free = 0;
    std::size_t total = 0;
    ggml_backend_dev_memory(device_.device(), &free, &total);
    EXPECT_EQ(free, 1024 * kGiB);
    EXPECT_EQ(total, 1024 * kGiB);
    EXPECT_EQ(ggml_backend_buft_get_alignment(device_.buffer_type()), 128U);
    EXPECT_FALSE(ggml_backend_buft_is_host(device_.buffer_type()));
    EXPECT_TRUE(ggml_backend_buft_is_host(ggml_backend_dev_host_buffer_type(device_.device())));
}

TEST_F(VirtualDeviceTest, ReservesWhatNoMachineHas) {
    const ggml_backend_buffer_ptr memory(
        ggml_backend_buft_alloc_buffer(device_.buffer_type(), 800 * kGiB));
    ASSERT_NE(memory, nullptr);
    EXPECT_NE(ggml_backend_buffer_get_base(memory.get()), nullptr);
    ggml_backend_buffer_clear(memory.get(), 0xff);
    const ggml_backend_buffer_ptr host(ggml_backend_buft_alloc_buffer(
        ggml_backend_dev_host_buffer_type(device_.device()), 100 * kGiB));
    ASSERT_NE(host, nullptr);
    ggml_backend_buffer_clear(host.get(), 0xff);
    EXPECT_EQ(static_cast<char*>(ggml_backend_buffer_get_base(host.get()))[99 * kGiB], 0);
}

TEST_F(VirtualDeviceTest, ForgetsWhatIsWritten) {
    const ggml_context_ptr context = new_context();
    ggml_tensor* tensor = ggml_new_tensor_1d(context.get(), GGML_TYPE_F32, 4);
    const ggml_backend_buffer_ptr memory(
        ggml_backend_alloc_ctx_tensors_from_buft(context.get(), device_.buffer_type()));
    const float written[] = {1, 2, 3, 4};
    ggml_backend_tensor_set(tensor, written, 0, sizeof(written));
    float read[] = {9, 9, 9, 9};
    ggml_backend_tensor_get(tensor, read, 0, sizeof(read));
    for (const float value : read) EXPECT_EQ(value, 0.0F);
}

TEST_F(VirtualDeviceTest, NeverComputes) {
    const ggml_backend_ptr backend(ggml_backend_dev_init(device_.device(), nullptr));
    const ggml_context_ptr context = new_context();
    ggml_cgraph* graph = ggml_new_graph(context.get());
    ggml_build_forward_expand(
        graph, ggml_sqr(context.get(), ggml_new_tensor_1d(context.get(), GGML_TYPE_F32, 4)));
    EXPECT_EQ(ggml_backend_graph_compute(backend.get(), graph), GGML_STATUS_FAILED);
}

TEST_F(VirtualDeviceTest, RemembersTensorsWithAPlaceOfTheirOwn) {
    const ggml_context_ptr context = new_context();
    ggml_tensor* first = named(ggml_new_tensor_1d(context.get(), GGML_TYPE_F32, 4), "first");
    named(ggml_view_1d(context.get(), first, 2, 0), "view");
    named(ggml_sqr(context.get(), first), "result");
    const ggml_tensor* second =
        named(ggml_new_tensor_1d(context.get(), GGML_TYPE_F32, 4), "second");
    const ggml_backend_buffer_ptr memory(
        ggml_backend_alloc_ctx_tensors_from_buft(context.get(), device_.buffer_type()));
    EXPECT_EQ(device_.tensors(), (std::vector<const ggml_tensor*>{first, second}));
}

// llama.cpp without allocation gives its tensors a dummy buffer and asks for sizes only.
TEST_F(VirtualDeviceTest, RemembersTensorsThatAreOnlyMeasured) {
    const ggml_context_ptr context = new_context();
    ggml_tensor* tensor = ggml_new_tensor_1d(context.get(), GGML_TYPE_F32, 4);
    const ggml_backend_buffer_ptr dummy(ggml_backend_buft_alloc_buffer(device_.buffer_type(), 0));
    tensor->buffer = dummy.get();
    EXPECT_EQ(ggml_backend_alloc_ctx_tensors_from_buft_size(context.get(), device_.buffer_type()),
              128U);
    EXPECT_EQ(device_.tensors(), std::vector<const ggml_tensor*>{tensor});
}

TEST_F(VirtualDeviceTest, OffloadsOnlyIfToldTo) {
    const ggml_context_ptr context = new_context();
    const ggml_tensor* op = ggml_mul_mat(context.get(),
                                         ggml_new_tensor_2d(context.get(), GGML_TYPE_F16, 64, 64),
                                         ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, 64, 512));
    EXPECT_FALSE(ggml_backend_dev_offload_op(device_.device(), op));
    VirtualDevice offloading(spec(true));
    EXPECT_TRUE(ggml_backend_dev_offload_op(offloading.device(), op));
}

TEST_F(VirtualDeviceTest, CanBeHadTwice) {
    VirtualDevice other({.name = "OTHER", .policy = make_device_model("vulkan")});
    EXPECT_STREQ(ggml_backend_dev_name(other.device()), "OTHER");
    EXPECT_EQ(ggml_backend_buft_get_alignment(other.buffer_type()), 64U);
    EXPECT_FALSE(ggml_backend_dev_supports_buft(other.device(), device_.buffer_type()));
}

TEST(LogCapture, KeepsTheFirstErrorElseTheLastWarning) {
    LogCapture log;
    EXPECT_EQ(log.complaint(), "");
    GGML_LOG_INFO("some_function: all is well\n");
    EXPECT_EQ(log.complaint(), "");
    GGML_LOG_WARN("some_function: a little strange\n");
    GGML_LOG_WARN("some_function: stranger\n");
    EXPECT_EQ(log.complaint(), "stranger");
    GGML_LOG_ERROR("some_function: tensor 'x: y' is missing\n");
    GGML_LOG_ERROR("other_function: failed to load\n");
    EXPECT_EQ(log.complaint(), "tensor 'x: y' is missing");
}

TEST(LogCapture, LeavesMessagesWithoutPrefixAlone) {
    LogCapture log;
    GGML_LOG_ERROR("no prefix here: but a colon\n");
    EXPECT_EQ(log.complaint(), "no prefix here: but a colon");
}

TEST(LogCapture, ThrowsFailedAssertions) {
    LogCapture log;
    EXPECT_THROW(ggml_abort("ggml.c", 12, "GGML_ASSERT(%s) failed", "a == b"), LlamaAbort);
}

TEST(LogCapture, GivesTheLogBack) {
    std::string heard;
    const auto listen = [](ggml_log_level, const char* text, void* user) {
        *static_cast<std::string*>(user) += text;
    };
    llama_log_set(listen, &heard);
    ggml_log_set(listen, &heard);
    {
        const LogCapture log;
        GGML_LOG_WARN("unheard\n");
    }
    GGML_LOG_WARN("heard\n");
    EXPECT_EQ(heard, "heard\n");
    llama_log_set(nullptr, nullptr);
    ggml_log_set(nullptr, nullptr);
}

}  // namespace
}  // namespace pshard
