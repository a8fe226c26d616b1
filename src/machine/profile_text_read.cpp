#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <fmt/format.h>

#include "machine/profile_keys.h"
#include "machine/profile_rows.h"
#include "machine/profile_text.h"

namespace pshard {

namespace {

constexpr std::string_view kOurs = "# pshard ";

// What one Threads= line says.
struct ThreadFacts {
    int n_threads = 0;
    std::optional<double> dram;
    std::optional<double> standalone;
    std::optional<double> concurrent;
    std::optional<double> efficiency_percent;
};

// A CPU file as it stands: perhaps several thread counts.
struct CpuFile {
    std::vector<ThreadFacts> facts;
    std::vector<CpuRow> rows;
    std::vector<TextLine> ours;
    int header_threads = 0;  // of line 1
    bool recognised = false;
};

Status apply_sliced(const TextLine& line, std::string_view value, MachineProfile& profile) {
    const std::size_t space = value.find(' ');
    const bool has_two = space != std::string_view::npos;
    const double size = parse_number(value.substr(0, space)).value_or(0);
    const double rate = has_two ? parse_number(value.substr(space + 1)).value_or(0) : 0;
    if (size <= 0 || rate <= 0) {
        return error_at(line,
                        static_cast<std::size_t>(value.data() - line.text.data()),
                        "expected the size of a slice in MB and its GB/s, both above 0");
    }
    auto& sliced = profile.link.sliced;
    const auto at = std::find_if(sliced.begin(), sliced.end(), [&](const SlicePoint& point) {
        return point.slice_mb >= size;
    });
    if (at != sliced.end() && at->slice_mb == size) {
        at->gb_per_s = rate;
    } else {
        sliced.insert(at, {size, rate});
    }
    return Done{};
}

Status apply_number(const TextLine& line,
                    const NumberKey& key,
                    std::string_view value,
                    MachineProfile& profile) {
    const auto number = parse_number(value);
    const bool may_be_zero = key.name.ends_with("_us");
    if (!number || *number < 0 || (*number == 0 && !may_be_zero)) {
        return error_at(line,
                        static_cast<std::size_t>(value.data() - line.text.data()),
                        fmt::format("expected a number above 0 for {}", key.name));
    }
    key.set(profile, *number);
    return Done{};
}

// One `# pshard KEY=VALUE`; keys that we do not know are left for a later version.
Status apply_ours(const TextLine& line, MachineProfile& profile) {
    const std::string_view body = line.text.substr(kOurs.size());
    const std::size_t equals = body.find('=');
    if (equals == std::string_view::npos) {
        return error_at(line, kOurs.size(), "expected KEY=VALUE after \"# pshard\"");
    }
    const std::string_view name = body.substr(0, equals);
    const std::string_view value = body.substr(equals + 1);
    if (name == "link.sliced") return apply_sliced(line, value, profile);
    if (name == "link.concurrent_measured") profile.link.concurrent_measured = value == "1";
    if (name == "provenance") {
        const auto provenance = provenance_of(value);
        if (!provenance) {
            return error_at(line,
                            kOurs.size() + equals + 1,
                            "expected measured, derived or quick for provenance");
        }
        profile.provenance = std::max(profile.provenance, *provenance);
    }
    for (const TextKey& key : text_keys()) {
        if (key.name == name && (profile.*key.field).empty()) profile.*key.field = value;
    }
    for (const NumberKey& key : number_keys()) {
        if (key.name == name) return apply_number(line, key, value, profile);
    }
    return Done{};
}

Status apply_all_ours(const std::vector<TextLine>& lines, MachineProfile& profile) {
    for (const TextLine& line : lines) {
        if (auto status = apply_ours(line, profile); !status) return status.error();
    }
    return Done{};
}

Result<int> thread_count(const TextLine& line, std::string_view key) {
    auto number = header_number(line, key);
    if (!number) return number.error();
    const double count = number.value().value_or(0);
    if (count != std::floor(count) || count > 1e6) {
        return error_at(line, line.text.find(key) + key.size(), "expected a count of threads");
    }
    return static_cast<int>(count);
}

// Puts the number after `key` into `field`, if it is there.
Status take(const TextLine& line, std::string_view key, std::optional<double>& field) {
    auto number = header_number(line, key);
    if (!number) return number.error();
    if (number.value()) field = number.value();
    return Done{};
}

Status read_threads_line(const TextLine& line, CpuFile& file) {
    // "#   Threads=8:": the count ends at a colon.
    const std::size_t colon = line.text.find(':');
    const TextLine head{line.text.substr(0, colon), line.place};
    auto threads = thread_count(head, "Threads=");
    if (!threads) return threads.error();
    ThreadFacts facts;
    facts.n_threads = threads.value();
    for (const auto& [key, field] : {std::pair{"DRAM_BW=", &ThreadFacts::dram},
                                     std::pair{"PCIe_Standalone=", &ThreadFacts::standalone},
                                     std::pair{"PCIe_Concurrent=", &ThreadFacts::concurrent},
                                     std::pair{"CPU_Eff=", &ThreadFacts::efficiency_percent}}) {
        if (auto status = take(line, key, facts.*field); !status) return status.error();
    }
    file.facts.push_back(facts);
    file.recognised = true;
    return Done{};
}

// The later fork's extra header line (facts 1.5).
Status read_fork_line(const TextLine& line, MachineProfile& profile) {
    return take(line, "Host_Pin_Ceiling: ", profile.link.page_lock_ceiling_gb);
}

Status read_cpu_comment(const TextLine& line, CpuFile& file, MachineProfile& profile) {
    if (line.text.starts_with(kOurs)) {
        file.ours.push_back(line);
        return Done{};
    }
    if (line.text.starts_with("# Concurrent Profiling")) {
        file.recognised = true;
        auto threads = thread_count(line, "(threads=");
        if (!threads) return threads.error();
        file.header_threads = threads.value();
        return Done{};
    }
    const std::size_t text = line.text.find_first_not_of("# ");
    if (text != std::string_view::npos && line.text.substr(text).starts_with("Threads=")) {
        return read_threads_line(line, file);
    }
    return read_fork_line(line, profile);
}

Status read_cpu_lines(const std::vector<TextLine>& lines, CpuFile& file, MachineProfile& profile) {
    for (const TextLine& line : lines) {
        if (line.text.find_first_not_of(" \t") == std::string_view::npos) continue;
        if (line.text.starts_with('#')) {
            if (auto status = read_cpu_comment(line, file, profile); !status) return status.error();
            continue;
        }
        auto row = parse_cpu_row(line);
        if (!row) return row.error();
        file.rows.push_back(std::move(row).value());
        file.recognised = true;
    }
    return Done{};
}

// The thread count to take: the asked one, else the nearest, else the highest.
int choose_threads(const CpuFile& file, int asked, std::vector<std::string>& notes) {
    std::vector<int> counts;
    for (const CpuRow& row : file.rows) counts.push_back(row.n_threads);
    if (counts.empty()) {
        for (const ThreadFacts& facts : file.facts) counts.push_back(facts.n_threads);
    }
    if (counts.empty()) return file.header_threads;
    if (asked <= 0) return *std::max_element(counts.begin(), counts.end());
    const int nearest = *std::min_element(counts.begin(), counts.end(), [&](int a, int b) {
        return std::abs(a - asked) < std::abs(b - asked);
    });
    if (nearest != asked) {
        notes.push_back(
            fmt::format("the CPU profile has no rows for {} threads: those for {} are "
                        "taken; profile again with --threads {}",
                        asked,
                        nearest,
                        asked));
    }
    return nearest;
}

void take_facts(const CpuFile& file, MachineProfile& profile) {
    for (const ThreadFacts& facts : file.facts) {
        if (facts.n_threads != profile.cpu->n_threads) continue;
        profile.cpu->dram_gb_per_s = facts.dram;
        profile.cpu->copy_efficiency_percent = facts.efficiency_percent;
        profile.link.standalone_gb_per_s = facts.standalone;
        profile.link.concurrent_gb_per_s = facts.concurrent;
    }
}

void take_rows(std::vector<CpuRow>& rows, MachineProfile& profile) {
    for (CpuRow& entry : rows) {
        OpRow& row = entry.row;
        if (entry.n_threads != profile.cpu->n_threads) continue;
        if (row.gflops == 0 || row.gb_per_s == 0) continue;
        // Without a GPU the profiler writes the standalone rate twice: that measured nothing.
        if (!profile.link.standalone_gb_per_s && row.gflops_under_copies == row.gflops) {
            row.gflops_under_copies.reset();
        }
        profile.cpu->rows.push_back(std::move(row));
    }
}

Status read_cpu(const std::string& text,
                const std::string& name,
                int n_threads,
                MachineProfile& profile) {
    CpuFile file;
    profile.cpu.emplace();
    if (auto status = read_cpu_lines(lines_of(text, name), file, profile); !status) return status;
    if (!file.recognised) {
        return Error{"no header and no row of a CPU profile; is this a cpu_profile.txt?",
                     {name, 1, 1}};
    }
    profile.cpu->n_threads = choose_threads(file, n_threads, profile.notes);
    take_facts(file, profile);
    if (auto status = apply_all_ours(file.ours, profile); !status) return status;
    take_rows(file.rows, profile);
    return Done{};
}

Status read_gpu_header(const TextLine& line, GpuProfile& gpu) {
    constexpr std::string_view key = "backend=";
    const std::size_t begin = line.text.find(key);
    if (begin != std::string_view::npos) {
        const std::string_view rest = line.text.substr(begin + key.size());
        gpu.backend = rest.substr(0, rest.find_first_of(",)"));
    }
    if (auto status = take(line, "GPU_Memory_BW=", gpu.memory_gb_per_s); !status) return status;
    return take(line, "GPU_Peak_Compute=", gpu.peak_gflops);
}

Status read_gpu(const std::string& text, const std::string& name, MachineProfile& profile) {
    GpuProfile& gpu = profile.gpu.emplace();
    std::vector<TextLine> ours;
    bool recognised = false;
    for (const TextLine& line : lines_of(text, name)) {
        if (line.text.find_first_not_of(" \t") == std::string_view::npos) continue;
        if (line.text.starts_with(kOurs)) ours.push_back(line);
        if (line.text.starts_with("# GPU Profiling")) {
            recognised = true;
            if (auto status = read_gpu_header(line, gpu); !status) return status;
        }
        if (line.text.starts_with('#')) continue;
        auto row = parse_gpu_row(line);
        if (!row) return row.error();
        recognised = true;
        if (row.value().gflops == 0 || row.value().gb_per_s == 0) continue;
        gpu.rows.push_back(std::move(row).value());
    }
    if (!recognised) {
        return Error{"no header and no row of a GPU profile; is this a gpu_profile.txt?",
                     {name, 1, 1}};
    }
    return apply_all_ours(ours, profile);
}

Result<std::optional<std::string>> read_if_exists(const std::string& path) {
    std::error_code code;
    if (!std::filesystem::exists(path, code)) return std::optional<std::string>();
    const Error unreadable{"the profile cannot be read", {path, 0, 0}};
    if (std::filesystem::is_directory(path, code)) return unreadable;
    std::ifstream file(path, std::ios::binary);
    if (!file) return unreadable;
    std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    if (file.bad()) return unreadable;
    return std::optional<std::string>(std::move(text));
}

}  // namespace

Result<MachineProfile> profile_from_text(const ProfileTexts& texts,
                                         int n_threads,
                                         const ProfileNames& names) {
    MachineProfile profile;
    if (texts.cpu) {
        if (auto status = read_cpu(*texts.cpu, names.cpu, n_threads, profile); !status) {
            return status.error();
        }
    }
    if (texts.gpu) {
        if (auto status = read_gpu(*texts.gpu, names.gpu, profile); !status) return status.error();
    }
    return profile;
}

Result<MachineProfile> read_profile_files(const ProfileNames& paths, int n_threads) {
    auto cpu = read_if_exists(paths.cpu);
    if (!cpu) return cpu.error();
    auto gpu = read_if_exists(paths.gpu);
    if (!gpu) return gpu.error();
    return profile_from_text({std::move(cpu).value(), std::move(gpu).value()}, n_threads, paths);
}

}  // namespace pshard
