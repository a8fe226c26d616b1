// How a machine is told by the files of its system, and compared with that of a profile.
//
// In:   /proc, /sys and /etc, below a root.
// Out:  names and figures; or phrases about what differs.
//
//     /proc/cpuinfo                    "model name : ..."          CPU
//     /etc/os-release                  PRETTY_NAME="..."           OS
//     /proc/meminfo                    "MemTotal: ... kB"          RAM
//     /proc/driver/nvidia/version      "NVRM version: ... 550.54"  GPU driver
//     /sys/devices/system/cpu/cpuN     topology, caches            cores, last-level cache
//     /sys/bus/pci/devices/ID          current_link_speed, _width  link
//
// Traps: each architecture has another key for the name of its CPU, and 64-bit ARM has numbers
// only. The threads of one core list the same siblings, and the CPUs of one cache share one map:
// both are counted once for each list. A CPU that is switched off has no topology. os-release is
// written for a shell, with quotation marks. Whatever is unknown on either side is no difference.
#include "machine/identity.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "base/atomic_file.h"

namespace pshard {

namespace {

constexpr std::size_t kMaxBytes = std::size_t{16} << 20U;  // /proc/cpuinfo of 1000 CPUs: 2 MB
constexpr std::string_view kBlanks = " \t\r\n";
constexpr std::string_view kCpuFolder = "/sys/devices/system/cpu";

// The content of a file; empty if the file cannot be read.
std::string content_of(const std::string& path) {
    auto text = read_file(path, kMaxBytes);
    return text ? std::move(text).value().value_or("") : std::string();
}

// `text` with one blank between its words, and none at its ends.
std::string one_line(std::string_view text) {
    std::string line;
    for (const char c : text) {
        const bool is_blank = kBlanks.find(c) != std::string_view::npos;
        if (!is_blank) line += c;
        if (is_blank && !line.empty() && line.back() != ' ') line += ' ';
    }
    if (line.ends_with(' ')) line.pop_back();
    return line;
}

std::string lower_case(std::string text) {
    for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return text;
}

// The value of the first line "KEY : VALUE", whatever the case of KEY; empty if there is none.
std::string value_of(std::string_view text, std::string_view key, char separator = ':') {
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        const std::size_t at = line.find(separator);
        if (at == std::string_view::npos) continue;
        if (lower_case(one_line(line.substr(0, at))) == key) return one_line(line.substr(at + 1));
    }
    return {};
}

// The number that a text begins with.
template <typename Number>
std::optional<Number> leading_number(std::string_view text) {
    Number value{};
    const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} ? std::optional(value) : std::nullopt;
}

std::string cpu_name_of(const std::string& root) {
    // In this order: x86, LoongArch and 32-bit ARM; MIPS; RISC-V; POWER and SPARC.
    constexpr std::array<std::string_view, 4> kKeys = {"model name", "cpu model", "uarch", "cpu"};
    const std::string text = content_of(root + "/proc/cpuinfo");
    for (const std::string_view key : kKeys) {
        std::string name = value_of(text, key);
        if (!name.empty()) return name;
    }
    // 64-bit ARM has numbers only.
    const std::string maker = value_of(text, "cpu implementer");
    const std::string part = value_of(text, "cpu part");
    if (maker.empty() || part.empty()) return {};
    return fmt::format("ARM implementer {} part {}", maker, part);
}

// A value of os-release without its quotation marks, which a shell would take away.
std::string unquoted(std::string_view value) {
    const bool is_quoted = value.size() > 1 && value.front() == value.back() &&
                           (value.front() == '"' || value.front() == '\'');
    if (is_quoted) value = value.substr(1, value.size() - 2);
    std::string text;
    for (std::size_t i = 0; i < value.size(); i++) {
        if (value[i] == '\\' && i + 1 < value.size()) i++;
        text += value[i];
    }
    return text;
}

std::string os_name_of(const std::string& root) {
    std::string text = content_of(root + "/etc/os-release");
    if (text.empty()) text = content_of(root + "/usr/lib/os-release");
    return unquoted(value_of(text, "pretty_name", '='));
}

std::optional<double> host_memory_of(const std::string& root) {
    const std::string value = value_of(content_of(root + "/proc/meminfo"), "memtotal");
    const auto kib = leading_number<std::uint64_t>(value);
    if (!kib || *kib == 0) return std::nullopt;
    return in_mib(*kib * kKiB);
}

// The driver's version is the first word of digits with a dot in it, in a line such as
// "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu Feb 22 ...".
std::string gpu_driver_of(const std::string& root) {
    std::string text = value_of(content_of(root + "/proc/driver/nvidia/version"), "nvrm version");
    while (!text.empty()) {
        const std::string word = text.substr(0, text.find(' '));
        const bool is_version = word.find_first_not_of("0123456789.") == std::string::npos &&
                                word.find('.') != std::string::npos;
        if (is_version) return "NVIDIA " + word;
        text.erase(0, word.size() + 1);
    }
    return {};
}

std::string cpu_folder(const std::string& root, int cpu) {
    return fmt::format("{}{}/cpu{}", root, kCpuFolder, cpu);
}

bool exists(const std::string& path) {
    std::error_code code;
    return std::filesystem::exists(path, code);
}

// The bytes that a text such as "32768K" or "96M" tells.
Bytes cache_size(std::string_view text) {
    const auto value = leading_number<Bytes>(text);
    if (!value) return 0;
    if (text.find('K') != std::string_view::npos) return *value * kKiB;
    if (text.find('M') != std::string_view::npos) return *value * kMiB;
    return *value;
}

// The bytes of each cache, by its level and by the CPUs that share it.
using Caches = std::map<int, std::map<std::string, Bytes>>;

void add_caches(const std::string& cpu, Caches& caches) {
    for (int i = 0; exists(fmt::format("{}/cache/index{}", cpu, i)); i++) {
        const std::string cache = fmt::format("{}/cache/index{}/", cpu, i);
        const auto level = leading_number<int>(content_of(cache + "level"));
        const Bytes bytes = cache_size(content_of(cache + "size"));
        if (level && bytes > 0) caches[*level][content_of(cache + "shared_cpu_map")] = bytes;
    }
}

std::string without_blanks_and_case(const std::string& name) {
    std::string text = lower_case(one_line(name));
    std::erase(text, ' ');
    return text;
}

constexpr std::string_view kKernelMark = ", Linux ";

// Collects what differs. A name is known if it is not empty, a number if it is there.
class Comparison {
public:
    void name(std::string_view what, const std::string& profile, const std::string& here) {
        if (profile.empty() || here.empty()) return;
        if (without_blanks_and_case(profile) == without_blanks_and_case(here)) return;
        found.push_back(fmt::format("{}: profile '{}', here '{}'", what, profile, here));
    }

    // A difference of up to `tolerance`, a share of the profile's number, does not count.
    void number(std::string_view what,
                std::optional<double> profile,
                std::optional<double> here,
                double tolerance) {
        if (!profile || !here || std::abs(*profile - *here) <= tolerance * *profile) return;
        found.push_back(fmt::format("{}: profile {:.0f}, here {:.0f}", what, *profile, *here));
    }

    std::vector<std::string> found;
};

}  // namespace

MachineIdentity this_machine(const std::string& root) {
    MachineIdentity machine;
    machine.cpu_name = cpu_name_of(root);
    machine.os_name = os_name_of(root);
    machine.kernel = one_line(content_of(root + "/proc/sys/kernel/osrelease"));
    machine.gpu_driver = gpu_driver_of(root);
    machine.cpu_cores = physical_cores(root);
    machine.host_memory_mib = host_memory_of(root);
    return machine;
}

std::optional<int> physical_cores(const std::string& root) {
    std::set<std::string> cores;
    for (int cpu = 0; exists(cpu_folder(root, cpu)); cpu++) {
        // A CPU that is switched off has no siblings.
        std::string siblings = content_of(cpu_folder(root, cpu) + "/topology/thread_siblings");
        if (!siblings.empty()) cores.insert(std::move(siblings));
    }
    return cores.empty() ? std::nullopt : std::optional(static_cast<int>(cores.size()));
}

Bytes last_level_cache_bytes(const std::string& root) {
    Caches caches;
    for (int cpu = 0; exists(cpu_folder(root, cpu)); cpu++) {
        add_caches(cpu_folder(root, cpu), caches);
    }
    Bytes sum = 0;
    if (caches.empty()) return sum;
    for (const auto& [cpus, bytes] : caches.rbegin()->second) sum += bytes;
    return sum;
}

std::string link_name(const std::string& bus_id, const std::string& root) {
    constexpr std::array kGenerations = {2.5, 5.0, 8.0, 16.0, 32.0, 64.0};  // GT/s
    // ggml marks a second device of one GPU: "0000:01:00.0-v1".
    const std::string id = lower_case(bus_id.substr(0, bus_id.find('-')));
    const std::string device = root + "/sys/bus/pci/devices/" + id + "/";
    const auto speed = leading_number<double>(content_of(device + "current_link_speed"));
    const auto width = leading_number<int>(content_of(device + "current_link_width"));
    if (!speed || !width || *width < 1 || *width > 32) return {};
    const auto* found = std::find(kGenerations.begin(), kGenerations.end(), *speed);
    if (found == kGenerations.end()) return {};
    return fmt::format("PCIe {}.0 x{}", found - kGenerations.begin() + 1, *width);
}

void set_identity(const MachineIdentity& machine, MachineProfile& profile) {
    const auto set = [](const std::string& from, std::string& to) {
        if (!from.empty()) to = one_line(from);
    };
    set(machine.cpu_name, profile.cpu_name);
    set(machine.gpu_name, profile.gpu_name);
    set(machine.gpu_driver, profile.gpu_driver);
    set(machine.link_name, profile.link_name);
    set(machine.os_name, profile.os_name);
    if (!machine.os_name.empty() && !machine.kernel.empty()) {
        profile.os_name += std::string(kKernelMark) + machine.kernel;
    }
    if (machine.cpu_cores) profile.cpu_cores = *machine.cpu_cores;
    if (machine.host_memory_mib) profile.host_memory_mib = machine.host_memory_mib;
}

std::vector<std::string> differences(const MachineProfile& profile, const MachineIdentity& here) {
    constexpr double kMemoryTolerance = 0.05;  // kernel and firmware keep some RAM for themselves
    const std::string os = profile.os_name.substr(0, profile.os_name.rfind(kKernelMark));
    const auto cores =
        here.cpu_cores ? std::optional<double>(*here.cpu_cores) : std::optional<double>();
    Comparison compare;
    compare.name("CPU", profile.cpu_name, here.cpu_name);
    compare.number("physical cores", profile.cpu_cores, cores, 0);
    compare.number("MiB of RAM", profile.host_memory_mib, here.host_memory_mib, kMemoryTolerance);
    compare.name("GPU", profile.gpu_name, here.gpu_name);
    compare.name("GPU driver", profile.gpu_driver, here.gpu_driver);
    compare.name("link", profile.link_name, here.link_name);
    compare.name("OS", os, here.os_name);
    return std::move(compare.found);
}

}  // namespace pshard
