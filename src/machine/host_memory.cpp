#include "machine/host_memory.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>

namespace pshard {
namespace {

// The number that a file holds; nullopt if there is no file, or if it holds "max".
std::optional<Bytes> number_in(const char* path) {
    std::ifstream file(path);
    Bytes number = 0;
    if (file >> number) return number;
    return std::nullopt;
}

Bytes system_available() {
    std::ifstream file("/proc/meminfo");
    std::string name;
    Bytes kib = 0;
    std::string unit;
    while (file >> name >> kib) {
        std::getline(file, unit);
        if (name == "MemAvailable:") return kib * kKiB;
    }
    return 0;
}

}  // namespace

Bytes available_host_memory() {
    const Bytes system = system_available();
    const auto limit = number_in("/sys/fs/cgroup/memory.max");
    const auto used = number_in("/sys/fs/cgroup/memory.current");
    if (!limit || !used) return system;
    return std::min(system, *limit - std::min(*limit, *used));
}

}  // namespace pshard
