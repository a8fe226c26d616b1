// From a MachineProfile to the text of the two profile files. The tables of profile_fields.h say
// which fields there are, and with how many digits they are written.
//
//     CPU file                              GPU file
//       published header, Threads line        published header
//       machine                               machine
//       CPU fields, link, points              GPU fields, (link,) points
//       number of rows                        number of rows
//       names of the columns, rows            names of the columns, rows
//
// Traps: the Threads line has its long form only if all of its figures are known; the fields in it
// are then not written again as pshard lines. The link stands in the CPU file, and in the GPU file
// only if there is no CPU file. The number of rows comes before the rows, so that a file that was
// cut off can tell.
#include <set>

#include <fmt/format.h>

#include "machine/profile_fields.h"
#include "machine/profile_text.h"

namespace pshard {

void write_number(std::string& out, double value, int decimals) {
    const std::string published = fmt::format("{:.{}f}", value, decimals);
    out += number_of<double>(published) == value ? published : fmt::format("{}", value);
}

namespace {

std::string batch_list(const std::vector<OpRow>& rows) {
    std::set<std::int64_t> batches;
    for (const OpRow& row : rows) batches.insert(row.batch > 0 ? row.batch : row.n_tokens);
    return fmt::format("[{}]", fmt::join(batches, ","));
}

std::string number(double value) {
    std::string text;
    write_number(text, value, 1);
    return text;
}

std::string key_line(std::string_view key, std::string_view value) {
    return fmt::format("# pshard {}={}\n", key, value);
}

// A line for each field that is set.
template <typename Record>
std::string key_lines(const Record& record, Fields<Record> fields) {
    std::string text;
    for (const Field<Record>& field : fields) {
        const std::string value = text_of(field, record);
        if (!value.empty()) text += key_line(field.key, value);
    }
    return text;
}

// A line for each point.
template <typename Point>
std::string point_lines(std::string_view key,
                        const std::vector<Point>& points,
                        Fields<Point> columns) {
    std::string text;
    for (const Point& point : points) {
        std::string values;
        write_columns(values, point, columns);
        text += key_line(key, std::string_view(values).substr(1));
    }
    return text;
}

// The lines of a row. `cpu` has the thread count of a CPU file; nullptr for a GPU file.
std::string row_lines(const OpRow& row, const CpuRow* cpu) {
    std::string text;
    write_columns(text, row, kOpColumns);
    if (cpu != nullptr) write_columns(text, *cpu, kThreadsColumn);
    write_columns(text, row, kRateColumns);
    if (cpu != nullptr) write_columns(text, row, kCopiesColumns);
    write_columns(text, row, kShapeColumns);
    return key_lines(row, kNoiseFields) + text.substr(1) + "\n";
}

bool header_has_link(const MachineProfile& profile) {
    return profile.cpu && profile.cpu->dram_gb_per_s && profile.cpu->copy_efficiency_percent &&
           profile.link.standalone_gb_per_s && profile.link.concurrent_gb_per_s;
}

// The published line of a thread count, in its short form unless all figures of it are known.
std::string threads_line(const MachineProfile& profile) {
    const CpuProfile& cpu = *profile.cpu;
    if (!cpu.dram_gb_per_s) return {};
    std::string line =
        fmt::format("#   Threads={}: DRAM_BW={} GB/s", cpu.n_threads, number(*cpu.dram_gb_per_s));
    if (header_has_link(profile)) {
        line += fmt::format(", PCIe_Standalone={} GB/s, PCIe_Concurrent={} GB/s (CPU_Eff={}%)",
                            number(*profile.link.standalone_gb_per_s),
                            number(*profile.link.concurrent_gb_per_s),
                            number(*cpu.copy_efficiency_percent));
    }
    return line + "\n";
}

std::string machine_lines(const MachineProfile& profile) {
    std::string text = key_lines(profile, kMachineTexts);
    if (profile.provenance != Provenance::Measured) text += key_lines(profile, kProvenanceFields);
    return text + key_lines(profile, kMachineNumbers);
}

std::string link_points(const LinkProfile& link) {
    return key_lines(link, kLinkAnswers) + point_lines(kSlicedKey, link.sliced, kSlicedColumns) +
           point_lines(kCopyKey, link.copies, kCopyColumns);
}

// Stands before the rows, so that a file that was cut off can tell.
std::string rows_line(std::size_t n_rows) {
    return key_lines(FileFacts{static_cast<std::int64_t>(n_rows)}, kFileFields);
}

std::string cpu_text(const MachineProfile& profile) {
    const CpuProfile& cpu = *profile.cpu;
    const bool in_header = header_has_link(profile);
    std::string text = fmt::format("# Concurrent Profiling (threads={}, batch_sizes={})\n",
                                   cpu.n_threads,
                                   batch_list(cpu.rows));
    text += "# Measured Bandwidths Per Thread Count:\n" + threads_line(profile);
    text += machine_lines(profile);
    text +=
        key_lines(cpu, Fields<CpuProfile>(kCpuFields).subspan(in_header ? kCpuFieldsInHeader : 0));
    text +=
        key_lines(profile.link,
                  Fields<LinkProfile>(kLinkFields).subspan(in_header ? kLinkFieldsInHeader : 0));
    text += link_points(profile.link) + rows_line(cpu.rows.size());
    text +=
        "# op_name quant threads AI(FLOP/byte) BW(GB/s) GFLOP/s Ridge(FLOP/byte) "
        "Concurrent_GFLOP/s PCIe_Concurrent_BW N K B n_tokens ctx_len n_heads head_dim "
        "n_elements\n";
    const CpuRow threads{cpu.n_threads, {}};
    for (const OpRow& row : cpu.rows) text += row_lines(row, &threads);
    return text;
}

// The GPU file has the facts of the link only if there is no CPU file.
std::string gpu_text(const MachineProfile& profile) {
    const GpuProfile& gpu = *profile.gpu;
    std::string text = fmt::format(
        "# GPU Profiling (backend={}, batch_sizes={}", gpu.backend, batch_list(gpu.rows));
    if (gpu.memory_gb_per_s) {
        text += fmt::format(", GPU_Memory_BW={} GB/s", number(*gpu.memory_gb_per_s));
    }
    if (gpu.peak_gflops) {
        text += fmt::format(", GPU_Peak_Compute={} GFLOP/s", number(*gpu.peak_gflops));
    }
    text += ")\n" + machine_lines(profile) + key_lines(gpu, kGpuFields);
    if (!profile.cpu) text += key_lines(profile.link, kLinkFields);
    text += point_lines(kOverheadKey, gpu.overhead, kOverheadColumns);
    if (!profile.cpu) text += link_points(profile.link);
    text += rows_line(gpu.rows.size());
    text +=
        "# op_name quant AI(FLOP/byte) BW(GB/s) GFLOP/s Ridge(FLOP/byte) N K B n_tokens ctx_len "
        "n_heads head_dim n_elements\n";
    for (const OpRow& row : gpu.rows) text += row_lines(row, nullptr);
    return text;
}

}  // namespace

ProfileTexts to_text(const MachineProfile& profile) {
    ProfileTexts texts;
    if (profile.cpu) texts.cpu = cpu_text(profile);
    if (profile.gpu) texts.gpu = gpu_text(profile);
    return texts;
}

}  // namespace pshard
