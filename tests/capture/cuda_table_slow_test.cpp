// The table of capture/cuda_model.cpp against ggml's own CUDA library, over the runtime of
// tests/fakecuda, which is the modelled device (compute capability 8.6).
#include <cstdlib>

#include "capture/device_model.h"
#include "capture/device_table.h"
#include "probe/devices.h"
#include "support/testing.h"

namespace pshard {
namespace {

class CudaTable : public DeviceTableTest {
protected:
    void SetUp() override {
        const std::string library = PSHARD_FAKECUDA_BACKEND;
        if (library.empty()) GTEST_SKIP() << "ggml's CUDA backend was not fetched";
        setenv("FAKECUDA_CC", "86", /*overwrite=*/1);
        load_ggml_backends(PSHARD_LLAMA_BIN_DIR);
        if (!find_gpu("CUDA0")) ggml_backend_load(library.c_str());
        auto real = make_device_policy("CUDA0");
        ASSERT_TRUE(real.ok()) << real.error().text();
        hold(make_cuda_model(), std::move(real).value());
    }
};

TEST_F(CudaTable, AgreesWithTheLibraryOnEveryNodeOfAllShapes) { ask_for_all_shapes(); }

TEST_F(CudaTable, AgreesWithTheLibraryOnEveryType) { ask_for_all_types(); }

}  // namespace
}  // namespace pshard
