#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/atomic_file.h"
#include "machine/profile_key_lines.h"
#include "machine/profile_rows.h"
#include "machine/profile_text.h"

namespace pshard {

namespace {

// A profile has some thousand rows of a hundred bytes.
constexpr std::size_t kMaxBytes = std::size_t{64} << 20U;

// What one Threads= line says.
struct ThreadFacts {
    int n_threads = 0;
    std::optional<double> dram;
    std::optional<double> standalone;
    std::optional<double> concurrent;
    std::optional<double> efficiency_percent;
};

constexpr std::string_view kCpuHead = "# Concurrent Profiling";
constexpr std::string_view kGpuHead = "# GPU Profiling";

// A CPU file as it stands: perhaps several thread counts.
struct CpuFile {
    std::vector<ThreadFacts> facts;
    std::vector<CpuRow> rows;
    std::vector<TextLine> key_lines;
    int header_threads = 0;  // of line 1
    bool recognised = false;
};

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

// The later fork's extra header line [S3].
Status read_fork_line(const TextLine& line, MachineProfile& profile) {
    return take(line, "Host_Pin_Ceiling: ", profile.link.page_lock_ceiling_gb);
}

Status read_cpu_comment(const TextLine& line, CpuFile& file, MachineProfile& profile) {
    if (is_key_line(line.text)) {
        file.key_lines.push_back(line);
        return Done{};
    }
    if (line.text.starts_with(kGpuHead)) {
        return Error{"this is a GPU profile; --cpu-profile wants that of llama-profiler-cpu",
                     {line.place.file}};
    }
    if (line.text.starts_with(kCpuHead)) {
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

bool is_blank(const TextLine& line) {
    return line.text.find_first_not_of(" \t") == std::string_view::npos;
}

// Hands each comment to `read_comment` and each row to `read_row`, which gives `noise` the row.
template <typename ReadComment, typename ReadRow>
Status read_lines(const std::vector<TextLine>& lines,
                  const ReadComment& read_comment,
                  const ReadRow& read_row) {
    NoiseReader noise;
    for (const TextLine& line : lines) {
        if (is_blank(line)) continue;
        const auto noisy = noise.take(line);
        if (!noisy) return noisy.error();
        if (noisy.value()) continue;
        const Status read = line.text.starts_with('#') ? read_comment(line) : read_row(line, noise);
        if (!read) return read.error();
    }
    return noise.finish();
}

Status read_cpu_lines(const std::vector<TextLine>& lines, CpuFile& file, MachineProfile& profile) {
    const auto read_comment = [&](const TextLine& line) {
        return read_cpu_comment(line, file, profile);
    };
    const auto read_row = [&](const TextLine& line, NoiseReader& noise) -> Status {
        auto row = parse_cpu_row(line);
        if (!row) return row.error();
        noise.give(row.value().row);
        file.rows.push_back(std::move(row).value());
        file.recognised = true;
        return Done{};
    };
    return read_lines(lines, read_comment, read_row);
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

// A file that ends early has lost rows: rates of what is left may be far off.
Status check_whole(const std::vector<TextLine>& key_lines,
                   std::size_t n_rows,
                   const std::string& name) {
    const auto told = told_rows(key_lines);
    if (!told) return told.error();
    const auto n = static_cast<std::int64_t>(n_rows);
    if (n >= told.value().value_or(0)) return Done{};
    return Error{fmt::format("cut off: {} of {} rows are there; profile again", n, *told.value()),
                 {name}};
}

// Not so the rows of benchmarks that the profiler skipped.
bool is_measured(const OpRow& row) { return row.gflops > 0 && row.gb_per_s > 0; }

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
        if (!is_measured(row)) continue;
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
    if (auto whole = check_whole(file.key_lines, file.rows.size(), name); !whole) {
        return whole.error();
    }
    profile.cpu->n_threads = choose_threads(file, n_threads, profile.notes);
    take_facts(file, profile);
    if (auto status = apply_key_lines(file.key_lines, profile); !status) return status;
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

// A GPU file as it stands.
struct GpuFile {
    std::vector<TextLine> key_lines;
    std::size_t n_rows = 0;
    bool recognised = false;
};

Status read_gpu_comment(const TextLine& line, GpuFile& file, GpuProfile& gpu) {
    if (is_key_line(line.text)) file.key_lines.push_back(line);
    if (line.text.starts_with(kCpuHead)) {
        return Error{"this is a CPU profile; --gpu-profile wants that of llama-profiler-gpu",
                     {line.place.file}};
    }
    if (!line.text.starts_with(kGpuHead)) return Done{};
    file.recognised = true;
    return read_gpu_header(line, gpu);
}

Status read_gpu_lines(const std::vector<TextLine>& lines, GpuFile& file, GpuProfile& gpu) {
    const auto read_comment = [&](const TextLine& line) {
        return read_gpu_comment(line, file, gpu);
    };
    const auto read_row = [&](const TextLine& line, NoiseReader& noise) -> Status {
        auto row = parse_gpu_row(line);
        if (!row) return row.error();
        noise.give(row.value());
        file.n_rows++;
        file.recognised = true;
        if (is_measured(row.value())) gpu.rows.push_back(std::move(row).value());
        return Done{};
    };
    return read_lines(lines, read_comment, read_row);
}

Status read_gpu(const std::string& text, const std::string& name, MachineProfile& profile) {
    GpuFile file;
    GpuProfile& gpu = profile.gpu.emplace();
    if (auto status = read_gpu_lines(lines_of(text, name), file, gpu); !status) return status;
    if (!file.recognised) {
        return Error{"no header and no row of a GPU profile; is this a gpu_profile.txt?",
                     {name, 1, 1}};
    }
    if (auto whole = check_whole(file.key_lines, file.n_rows, name); !whole) return whole.error();
    return apply_key_lines(file.key_lines, profile);
}

// A profile in memory may be without, a file of a profiler never is.
Status check_rows(const MachineProfile& profile, const ProfileNames& names) {
    const auto no_row = [](const std::string& name) {
        return Error{"no row of an op is there, so it can price nothing; profile again", {name}};
    };
    if (profile.cpu && profile.cpu->rows.empty()) return no_row(names.cpu);
    if (profile.gpu && profile.gpu->rows.empty()) return no_row(names.gpu);
    return Done{};
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
    auto cpu = read_file(paths.cpu, kMaxBytes);
    if (!cpu) return cpu.error();
    auto gpu = read_file(paths.gpu, kMaxBytes);
    if (!gpu) return gpu.error();
    Result<MachineProfile> profile =
        profile_from_text({std::move(cpu).value(), std::move(gpu).value()}, n_threads, paths);
    if (!profile) return profile;
    if (Status rows = check_rows(profile.value(), paths); !rows) return rows.error();
    return profile;
}

}  // namespace pshard
