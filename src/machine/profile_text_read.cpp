// From the text of the two profile files to a MachineProfile.
//
// Each file is read once, line by line. A line is blank, a comment or a row:
//
//   # GPU Profiling (backend=CUDA0, ...)     a published header: numbers behind keys
//   # pshard gpu.launch_us=1.7               a pshard line: one field or one point
//   # op_name quant AI(FLOP/byte) ...        any other comment, which is skipped
//   MUL_MAT q4_0 3.55 700.00 2480.00 ...     a row: 14 columns, 17 in a CPU file
//
// The tables of profile_fields.h say what a line means. A CPU file may hold rows and headers of
// several thread counts. The reader keeps all of them until the end of the file, and then chooses
// one count.
//
// Traps:
// * In a CPU file, a pshard line counts more than the published header, wherever it stands: the
//   header's figures are taken last, and only for fields that have no value yet.
// * Facts of the machine stand in both files. The CPU file is read first, and the first value of a
//   fact stays.
// * The profilers write 0 for "not known", and rows of zeros for benchmarks that they skipped.
#include <algorithm>
#include <cmath>
#include <tuple>

#include <fmt/format.h>

#include "base/atomic_file.h"
#include "base/counted.h"
#include "machine/profile_fields.h"
#include "machine/profile_text.h"

namespace pshard {

namespace {

// A profile has some thousand rows of a hundred bytes.
constexpr std::size_t kMaxBytes = std::size_t{4} << 20U;  // ours have up to 60 kB

constexpr std::string_view kOurs = "# pshard ";
constexpr std::string_view kCpuHead = "# Concurrent Profiling";
constexpr std::string_view kGpuHead = "# GPU Profiling";

// Finds the keys of the table in the line, and puts the number behind each into its field.
template <typename Record>
Status read_header(const TextLine& line, Record& record, Fields<Record> fields) {
    for (const Field<Record>& field : fields) {
        const std::size_t found = line.text.find(field.key);
        if (found == std::string_view::npos) continue;
        const std::size_t begin = found + field.key.size();
        const std::size_t end = line.text.find_first_of(" ,)%:", begin);
        const std::string_view word = line.text.substr(begin, end - begin);
        if (field.read(word, record)) continue;
        return line.error(
            begin,
            fmt::format("expected {} after {}, found '{}'", field.expected(), field.key, word));
    }
    return Done{};
}

// Reads the value of `key` into its field; false if the table does not have the key.
template <typename Record>
bool read_known(Cursor& in, std::string_view key, Record& record, Fields<Record> fields) {
    const Field<Record>* field = find_field<Record>(fields, key);
    if (field != nullptr) read_column(in, record, *field);
    return field != nullptr;
}

// Reads a point into `points`, which stay ascending. A second point of the same key replaces the
// first.
template <typename Point, typename Key>
void read_point(Cursor& in, std::vector<Point>& points, Fields<Point> columns, Key key) {
    Point point;
    read_columns(in, point, columns);
    if (in.failed()) return;
    const auto at = std::ranges::lower_bound(points, key(point), {}, key);
    if (at != points.end() && key(*at) == key(point)) {
        *at = point;
    } else {
        points.insert(at, point);
    }
}

// Reads one of the two files.
class FileReader {
public:
    FileReader(MachineProfile& profile, bool is_cpu) : profile_(profile), is_cpu_(is_cpu) {}

    Status read(const std::string& text, const std::string& name) {
        for (const TextLine line : lines_of(text, name)) {
            if (Status status = read_line(line); !status) return status;
        }
        if (noise_) return *noise_;
        if (!recognised_) {
            return Error{fmt::format("no header and no row of a {} profile; is this a {}?",
                                     is_cpu_ ? "CPU" : "GPU",
                                     is_cpu_ ? "cpu_profile.txt" : "gpu_profile.txt"),
                         {name, 1, 1}};
        }
        // A file that ends early has lost rows, and the rates of the others may be far off.
        const auto n = static_cast<std::int64_t>(rows.size());
        if (n >= facts_.n_rows) return Done{};
        return Error{
            fmt::format("cut off: {} of {} rows are there; profile again", n, facts_.n_rows),
            {name}};
    }

    std::vector<CpuRow> rows;             // rows of a GPU file have 0 threads
    std::vector<ThreadFacts> by_threads;  // Threads lines of a CPU file
    ThreadFacts head;                     // first line of a CPU file

private:
    Status read_line(const TextLine& line) {
        const std::size_t first = line.text.find_first_not_of(" \t");
        if (first == std::string_view::npos) return Done{};
        if (line.text[first] != '#') return read_row(line);
        if (noise_) return *noise_;
        if (first > 0) return Done{};  // a remark of somebody's
        return line.text.starts_with(kOurs) ? read_key(line) : read_comment(line);
    }

    Status read_row(const TextLine& line) {
        Cursor in(line);
        CpuRow row;
        read_columns(in, row.row, kOpColumns);
        if (is_cpu_) read_columns(in, row, kThreadsColumn);
        read_columns(in, row.row, kRateColumns);
        if (is_cpu_) read_columns(in, row.row, kCopiesColumns);
        read_columns(in, row.row, kShapeColumns);
        in.end_line(is_cpu_ ? "a row of 17 columns" : "a row of 14 columns");
        if (in.failed()) return *in.fault();
        if (noise_) row.row.noisy_percent = noisy_.noisy_percent;
        noise_.reset();
        rows.push_back(std::move(row));
        recognised_ = true;
        return Done{};
    }

    Status read_comment(const TextLine& line) {
        if (line.text.starts_with(is_cpu_ ? kGpuHead : kCpuHead)) {
            return Error{is_cpu_ ? "this is a GPU profile; --cpu-profile wants that of "
                                   "llama-profiler-cpu"
                                 : "this is a CPU profile; --gpu-profile wants that of "
                                   "llama-profiler-gpu",
                         {line.place.file}};
        }
        if (line.text.starts_with(is_cpu_ ? kCpuHead : kGpuHead)) {
            recognised_ = true;
            return is_cpu_ ? read_header(line, head, kCpuHeadFields) : read_gpu_head(line);
        }
        if (!is_cpu_) return Done{};
        const std::size_t text = line.text.find_first_not_of("# ");
        if (text == std::string_view::npos || !line.text.substr(text).starts_with("Threads=")) {
            if (profile_.link.page_lock_ceiling_gb) return Done{};  // our own line says it
            return read_header(line, profile_.link, kForkFields);
        }
        recognised_ = true;
        return read_header(line, by_threads.emplace_back(), kThreadsLineFields);
    }

    Status read_gpu_head(const TextLine& line) {
        constexpr std::string_view kBackend = "backend=";
        const std::size_t begin = line.text.find(kBackend);
        if (begin != std::string_view::npos) {
            const std::string_view rest = line.text.substr(begin + kBackend.size());
            profile_.gpu->backend = rest.substr(0, rest.find_first_of(",)"));
        }
        return read_header(line, *profile_.gpu, kGpuHeadFields);
    }

    Status read_key(const TextLine& line) {
        const std::size_t equals = line.text.find('=');
        if (equals == std::string_view::npos) {
            return line.error(kOurs.size(), "expected KEY=VALUE after '# pshard'");
        }
        const std::string_view key = line.text.substr(kOurs.size(), equals - kOurs.size());
        Cursor in(line, equals + 1);
        if (!read_fact(in, key) && !read_points(in, key)) in.rest_of_line();  // of a later version
        in.end_line();
        if (in.failed()) return *in.fault();
        if (key != kNoiseFields[0].key) return Done{};
        noise_ = line.error(kOurs.size(), fmt::format("expected a row directly below {}", key));
        return Done{};
    }

    // A fact of the other file's processor is checked, but not kept if that file was not read.
    bool read_fact(Cursor& in, std::string_view key) {
        CpuProfile no_cpu;
        GpuProfile no_gpu;
        return read_machine_fact(in, key) ||
               read_known(in, key, profile_.cpu ? *profile_.cpu : no_cpu, kCpuFields) ||
               read_known(in, key, profile_.gpu ? *profile_.gpu : no_gpu, kGpuFields) ||
               read_known(in, key, profile_.link, kLinkFields) ||
               read_known(in, key, profile_.link, kLinkAnswers) ||
               read_known(in, key, facts_, kFileFields) ||
               read_known(in, key, noisy_, kNoiseFields);
    }

    // The first value of a fact stays. Of two provenances, the less trusted one counts.
    bool read_machine_fact(Cursor& in, std::string_view key) {
        MachineProfile told;
        if (read_known(in, key, told, kProvenanceFields)) {
            profile_.provenance = std::max(profile_.provenance, told.provenance);
            return true;
        }
        const auto* number = find_field<MachineProfile>(kMachineNumbers, key);
        if (number != nullptr) {
            read_column(in, text_of(*number, profile_).empty() ? profile_ : told, *number);
            return true;
        }
        const auto* text = find_field<MachineProfile>(kMachineTexts, key);
        if (text == nullptr) return false;
        const std::string_view value = in.rest_of_line();
        if (text_of(*text, profile_).empty()) text->read(value, profile_);
        return true;
    }

    bool read_points(Cursor& in, std::string_view key) {
        std::vector<OverheadPoint> no_overhead;
        if (key == kSlicedKey) {
            read_point(in, profile_.link.sliced, kSlicedColumns, [](const SlicePoint& point) {
                return point.slice_mb;
            });
        } else if (key == kCopyKey) {
            read_point(in, profile_.link.copies, kCopyColumns, [](const CopyPoint& point) {
                return std::tuple(point.source, point.mb);
            });
        } else if (key == kOverheadKey) {
            auto& overhead = profile_.gpu ? profile_.gpu->overhead : no_overhead;
            read_point(in, overhead, kOverheadColumns, [](const OverheadPoint& point) {
                return point.n_ubatch;
            });
        } else {
            return false;
        }
        return true;
    }

    MachineProfile& profile_;
    const bool is_cpu_;
    bool recognised_ = false;
    FileFacts facts_;
    OpRow noisy_;                 // a noise that waits for its row
    std::optional<Error> noise_;  // set while a noise waits: the fault if no row follows
};

// The thread count to take: the one nearest to `asked`, or the highest if none is asked for.
int choose_threads(const FileReader& file, int asked, std::vector<std::string>& notes) {
    std::vector<int> counts;
    for (const CpuRow& row : file.rows) counts.push_back(row.n_threads);
    if (counts.empty()) {
        for (const ThreadFacts& facts : file.by_threads) counts.push_back(facts.n_threads);
    }
    if (counts.empty()) return file.head.n_threads;
    if (asked <= 0) return *std::max_element(counts.begin(), counts.end());
    const int nearest = *std::min_element(counts.begin(), counts.end(), [&](int a, int b) {
        return std::abs(a - asked) < std::abs(b - asked);
    });
    if (nearest != asked) {
        notes.push_back(
            fmt::format("the CPU profile has no rows for {}: those for {} are "
                        "taken; profile again with --threads {}",
                        counted(asked, "thread"),
                        nearest,
                        asked));
    }
    return nearest;
}

// False for a benchmark that the profiler skipped: it writes rates of 0.
bool is_measured(const OpRow& row) { return row.gflops > 0 && row.gb_per_s > 0; }

void take_header(const FileReader& file, MachineProfile& profile) {
    CpuProfile& cpu = *profile.cpu;
    LinkProfile& link = profile.link;
    const auto facts =
        std::find_if(file.by_threads.rbegin(), file.by_threads.rend(), [&](const ThreadFacts& f) {
            return f.n_threads == cpu.n_threads;
        });
    if (facts == file.by_threads.rend()) return;
    cpu.dram_gb_per_s = facts->dram;
    if (!cpu.copy_efficiency_percent) cpu.copy_efficiency_percent = facts->efficiency_percent;
    if (!link.standalone_gb_per_s) link.standalone_gb_per_s = facts->standalone;
    if (!link.concurrent_gb_per_s) link.concurrent_gb_per_s = facts->concurrent;
}

Status read_cpu(const std::string& text,
                const std::string& name,
                int n_threads,
                MachineProfile& profile) {
    CpuProfile& cpu = profile.cpu.emplace();
    FileReader file(profile, true);
    if (Status status = file.read(text, name); !status) return status;
    cpu.n_threads = choose_threads(file, n_threads, profile.notes);
    take_header(file, profile);
    for (CpuRow& entry : file.rows) {
        OpRow& row = entry.row;
        if (entry.n_threads != cpu.n_threads || !is_measured(row)) continue;
        // Without a GPU the profiler writes the rate alone twice, so it measured no copies.
        if (!profile.link.standalone_gb_per_s && row.gflops_under_copies == row.gflops) {
            row.gflops_under_copies.reset();
        }
        cpu.rows.push_back(std::move(row));
    }
    return Done{};
}

Status read_gpu(const std::string& text, const std::string& name, MachineProfile& profile) {
    GpuProfile& gpu = profile.gpu.emplace();
    FileReader file(profile, false);
    if (Status status = file.read(text, name); !status) return status;
    for (CpuRow& entry : file.rows) {
        if (is_measured(entry.row)) gpu.rows.push_back(std::move(entry.row));
    }
    return Done{};
}

// Fails on a file without rows. A profile in memory may have none, but a profiler's file has some.
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
        if (Status status = read_cpu(*texts.cpu, names.cpu, n_threads, profile); !status) {
            return status.error();
        }
    }
    if (texts.gpu) {
        if (Status status = read_gpu(*texts.gpu, names.gpu, profile); !status) {
            return status.error();
        }
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
