#include "support/test_gpu.h"

#include <cstdlib>
#include <filesystem>

#include "build_paths.h"
#include "probe/devices.h"

namespace pshard::testing_support {

namespace {

// Where Debian's mesa-vulkan-drivers describes lavapipe to the Vulkan loader.
constexpr auto kLavapipe = "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json";

}  // namespace

std::map<std::string, std::string> gpu_environment() {
    return {{"GGML_BACKEND_PATH", PSHARD_VULKAN_BACKEND},
            {"VK_DRIVER_FILES", kLavapipe},    // no other GPU, so that all machines test the same
            {"GGML_VK_VISIBLE_DEVICES", "0"},  // ggml leaves out a driver that computes on the CPU
            {"LSAN_OPTIONS",
             "suppressions=" PSHARD_SOURCE_DIR "/tests/lsan.supp:print_suppressions=0"}};
}

std::string load_gpu() {
    if (std::string(PSHARD_VULKAN_BACKEND).empty()) {
        return "the Vulkan backend was not fetched when this was configured";
    }
    if (!std::filesystem::exists(kLavapipe)) return "no lavapipe: run scripts/setup";
    for (const auto& [name, value] : gpu_environment()) setenv(name.c_str(), value.c_str(), 1);
    load_ggml_backends(PSHARD_LLAMA_BIN_DIR);
    if (!find_gpu("Vulkan0")) ggml_backend_load(PSHARD_VULKAN_BACKEND);  // a test before had no GPU
    const Result<ggml_backend_dev_t> gpu = find_gpu("Vulkan0");
    return gpu ? "" : gpu.error().text();
}

}  // namespace pshard::testing_support
