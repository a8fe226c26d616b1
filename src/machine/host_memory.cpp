// In: /proc/meminfo, and the control groups that /proc/self/cgroup names. Out: bytes.
//
//     v2   "0::/a/b"          /sys/fs/cgroup/{a/b,a,}/memory.max, .current, .stat
//     v1   "4:memory:/a/b"    /sys/fs/cgroup/memory/{a/b,a,}/memory.limit_in_bytes, ...
//
//     what a group has left = limit - (used - pages of files, and what the kernel keeps of them)
//
// That is MemAvailable of the group, as nearly as it tells.
//
// A group is held by its own limit and by those of all groups above it.
//
// Traps: a group is charged for the page cache too, so after a model was read once its use is near
// the limit although nearly all of it can be dropped. In a container the named path may lie outside
// what is mounted: files that are not there are passed over, and the root of the mount is the
// container's own group. "max" is no number and no limit.
#include "machine/host_memory.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace pshard {
namespace {

// The files of one version of control groups.
struct GroupFiles {
    std::string_view mount;
    std::string_view limit;
    std::string_view used;
    std::array<std::string_view, 3> droppable;  // keys of memory.stat
};

constexpr GroupFiles kVersion1{"/sys/fs/cgroup/memory",
                               "/memory.limit_in_bytes",
                               "/memory.usage_in_bytes",
                               {"total_active_file", "total_inactive_file", ""}};
constexpr GroupFiles kVersion2{"/sys/fs/cgroup",
                               "/memory.max",
                               "/memory.current",
                               {"active_file", "inactive_file", "slab_reclaimable"}};

// The number that a file holds; nullopt if there is no file, or if it holds "max".
std::optional<Bytes> number_in(const std::string& path) {
    std::ifstream file(path);
    Bytes number = 0;
    if (file >> number) return number;
    return std::nullopt;
}

// The sum of the numbers behind those keys, of lines "KEY NUMBER ...".
Bytes sum_of(const std::string& path, std::initializer_list<std::string_view> keys) {
    std::ifstream file(path);
    Bytes sum = 0;
    std::string key;
    Bytes number = 0;
    std::string rest;
    while (file >> key >> number) {
        std::getline(file, rest);
        if (std::find(keys.begin(), keys.end(), key) != keys.end()) sum += number;
    }
    return sum;
}

// Lowers `available` to what that group, and each above it, has left.
void lower_to_group(const std::string& mount,
                    const GroupFiles& files,
                    std::string group,
                    Bytes& available) {
    while (true) {
        const std::string folder = mount + group;
        const auto limit = number_in(folder + std::string(files.limit));
        const auto used = number_in(folder + std::string(files.used));
        if (limit && used) {
            const Bytes droppable =
                sum_of(folder + "/memory.stat",
                       {files.droppable[0], files.droppable[1], files.droppable[2]});
            const Bytes held = *used - std::min(*used, droppable);
            available = std::min(available, *limit - std::min(*limit, held));
        }
        if (group.empty()) return;
        group.erase(group.rfind('/'));
    }
}

// Whether a list "cpu,memory" names the controller of memory.
bool has_memory(const std::string& controllers) {
    return ("," + controllers + ",").find(",memory,") != std::string::npos;
}

}  // namespace

Bytes available_host_memory(const std::string& root) {
    Bytes available = sum_of(root + "/proc/meminfo", {"MemAvailable:"}) * kKiB;
    std::ifstream groups(root + "/proc/self/cgroup");
    std::string number;
    std::string controllers;
    std::string group;
    while (std::getline(groups, number, ':') && std::getline(groups, controllers, ':') &&
           std::getline(groups, group)) {
        if (!group.starts_with('/') || group == "/") group.clear();
        const bool is_version2 = controllers.empty();
        if (!is_version2 && !has_memory(controllers)) continue;
        const GroupFiles& files = is_version2 ? kVersion2 : kVersion1;
        lower_to_group(root + std::string(files.mount), files, group, available);
    }
    return available;
}

}  // namespace pshard
