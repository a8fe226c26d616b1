#include "support/test_gpu.h"

#include <fstream>

#include "probe/devices.h"
#include "support/testing.h"

namespace pshard {
namespace {

// Inodes of the files mapped under that name.
std::set<std::string> mapped_inodes(const std::string& name) {
    std::set<std::string> inodes;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        std::istringstream words(line);
        std::string range;
        std::string flags;
        std::string offset;
        std::string device;
        std::string inode;
        words >> range >> flags >> offset >> device >> inode;
        if (line.find(name) != std::string::npos) inodes.insert(device + " " + inode);
    }
    return inodes;
}

TEST(TestGpu, IsVulkanOverLavapipe) {
    PSHARD_NEEDS_GPU();
    const ggml_backend_dev_t gpu = test::value_of(find_gpu(""));
    EXPECT_STREQ(ggml_backend_dev_name(gpu), "Vulkan0");
    EXPECT_NE(std::string(ggml_backend_dev_description(gpu)).find("llvmpipe"), std::string::npos);
}

// A second copy of ggml would have its own lists of devices and its own abort callback.
TEST(TestGpu, SharesOurGgml) {
    PSHARD_NEEDS_GPU();
    EXPECT_EQ(mapped_inodes("libggml-base").size(), 1u);
    EXPECT_EQ(mapped_inodes("libggml-vulkan").size(), 1u);
}

}  // namespace
}  // namespace pshard
