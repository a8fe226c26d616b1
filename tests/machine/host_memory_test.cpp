#include "machine/host_memory.h"

#include <filesystem>
#include <fstream>

#include "support/testing.h"

namespace pshard {
namespace {

// A root folder with the files that tell how much memory there is: 1000 KiB are available.
class HostMemory : public testing::Test {
protected:
    void SetUp() override {
        std::string name = testing::TempDir() + "host-memory-XXXXXX";
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        root_ = name;
        file("/proc/meminfo", "MemTotal:  9000 kB\nMemFree: 10 kB\nMemAvailable:  1000 kB\n");
    }

    void TearDown() override { std::filesystem::remove_all(root_); }

    void file(const std::string& path, const std::string& content) const {
        const std::filesystem::path full = root_ + path;
        std::filesystem::create_directories(full.parent_path());
        std::ofstream(full, std::ios::binary) << content;
    }

    void group(const std::string& folder,
               const std::string& limit,
               int used_kib,
               int file_kib) const {
        const std::string at = "/sys/fs/cgroup" + folder;
        file(at + "/memory.max", limit + "\n");
        file(at + "/memory.current", fmt::format("{}\n", used_kib * 1024));
        file(at + "/memory.stat",
             fmt::format("anon 5\nactive_file {}\ninactive_file {}\n", file_kib * 1024, 1024));
    }

    Bytes available_kib() const { return available_host_memory(root_) / kKiB; }

    std::string root_;
};

TEST_F(HostMemory, IsWhatTheSystemCallsAvailable) {
    EXPECT_EQ(available_kib(), 1000U);
    std::filesystem::remove(root_ + "/proc/meminfo");
    EXPECT_EQ(available_kib(), 0U);
}

// 700 of 800 KiB are used, of which 500 + 1 are pages of files: 800 - (700 - 501) = 601 are left.
TEST_F(HostMemory, OfAControlGroupCountsPagesOfFilesAsFree) {
    file("/proc/self/cgroup", "0::/user/run\n");
    group("/user/run", std::to_string(800 * 1024), 700, 500);
    EXPECT_EQ(available_kib(), 601U);
}

// So does what the kernel keeps of files: 800 - (700 - 501 - 50).
TEST_F(HostMemory, OfAControlGroupCountsWhatTheKernelCanDrop) {
    file("/proc/self/cgroup", "0::/user/run\n");
    group("/user/run", std::to_string(800 * 1024), 700, 500);
    file("/sys/fs/cgroup/user/run/memory.stat",
         fmt::format(
             "active_file {}\ninactive_file 1024\nslab_reclaimable {}\n", 500 * 1024, 50 * 1024));
    EXPECT_EQ(available_kib(), 651U);
}

// The group above has no limit of its own in one case, and the lower one in the other.
TEST_F(HostMemory, IsHeldByTheGroupsAbove) {
    file("/proc/self/cgroup", "0::/user/run\n");
    group("/user/run", "max", 100, 0);
    group("/user", std::to_string(300 * 1024), 200, 9);
    EXPECT_EQ(available_kib(), 110U);  // 300 - (200 - 10)
    group("/user", std::to_string(300 * 1024), 400, 0);
    EXPECT_EQ(available_kib(), 0U);
    group("/user", "max", 400, 0);
    EXPECT_EQ(available_kib(), 1000U);
}

// In a container the named path is not there, and the mount's root is the group itself.
TEST_F(HostMemory, OfAContainerIsThatOfTheMount) {
    file("/proc/self/cgroup", "5:cpu,cpuacct:/docker/1\n4:hugetlb,memory:/docker/1\n0::/\n");
    const std::string at = "/sys/fs/cgroup/memory";
    file(at + "/memory.limit_in_bytes", std::to_string(500 * 1024));
    file(at + "/memory.usage_in_bytes", std::to_string(450 * 1024));
    file(at + "/memory.stat",
         fmt::format("active_file 7\ntotal_active_file {}\ntotal_inactive_file 0\n", 300 * 1024));
    EXPECT_EQ(available_kib(), 350U);  // 500 - (450 - 300)
}

}  // namespace
}  // namespace pshard
