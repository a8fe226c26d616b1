// The table of capture/vulkan_model.cpp against ggml's own Vulkan library.
//
// The device is Mesa's lavapipe, whose buffers are smaller than those of the modelled GPU; the
// library is asked for that limit first.
#include "capture/device_model.h"
#include "capture/device_table.h"
#include "support/test_gpu.h"
#include "support/testing.h"

namespace pshard {
namespace {

// The largest tensor that the device takes, to the byte of an f32.
Bytes largest_tensor(const DevicePolicy& device) {
    const auto takes = [&](std::int64_t n) {
        const ggml_context_ptr context(ggml_init({16 * 1024, nullptr, true}));
        ggml_tensor* tensor = ggml_new_tensor_1d(context.get(), GGML_TYPE_F32, n);
        return device.supports(*ggml_scale(context.get(), tensor, 2.0F));
    };
    std::int64_t low = 1;
    std::int64_t high = std::int64_t{1} << 40;
    while (high - low > 1) {
        const std::int64_t middle = low + (high - low) / 2;
        (takes(middle) ? low : high) = middle;
    }
    return static_cast<Bytes>(low) * sizeof(float) + sizeof(float) - 1;
}

class VulkanTable : public DeviceTableTest {
protected:
    void SetUp() override {
        PSHARD_NEEDS_GPU();
        auto real = make_device_policy("Vulkan0");
        ASSERT_TRUE(real.ok()) << real.error().text();
        auto modelled = make_vulkan_model(largest_tensor(*real.value()));
        hold(std::move(modelled), std::move(real).value());
    }
};

TEST_F(VulkanTable, AgreesWithTheLibraryOnEveryNodeOfAllShapes) { ask_for_all_shapes(); }

TEST_F(VulkanTable, AgreesWithTheLibraryOnEveryType) { ask_for_all_types(); }

}  // namespace
}  // namespace pshard
