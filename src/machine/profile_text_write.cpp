#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "machine/profile_keys.h"
#include "machine/profile_text.h"
#include "machine/text_columns.h"

namespace pshard {

namespace {

// With the published number of decimals, and with more only where the value needs them.
std::string number(double value, int decimals) {
    std::string published = fmt::format("{:.{}f}", value, decimals);
    if (parse_number(published) == value) return published;
    return fmt::format("{}", value);
}

std::string batch_list(const std::vector<OpRow>& rows) {
    std::set<std::int64_t> batches;
    for (const OpRow& row : rows) batches.insert(row.batch > 0 ? row.batch : row.n_tokens);
    return fmt::format("[{}]", fmt::join(batches, ","));
}

// "N K B n_tokens ctx_len n_heads head_dim n_elements"
std::string shape_columns(const OpRow& row) {
    return fmt::format("{} {} {} {} {} {} {} {}",
                       row.n,
                       row.k,
                       row.batch,
                       row.n_tokens,
                       row.ctx_len,
                       row.n_heads,
                       row.head_dim,
                       row.n_elements);
}

std::string key_line(std::string_view key, std::string_view value) {
    return fmt::format("# pshard {}={}\n", key, value);
}

std::string noise_line(const OpRow& row) {
    return row.noisy_percent ? key_line(kNoisyKey, number(*row.noisy_percent, 1)) : std::string();
}

std::string cpu_row(const OpRow& row, int n_threads) {
    return fmt::format("{}{} {} {} {} {} {} {} {} {} {}\n",
                       noise_line(row),
                       row.op,
                       row.quant,
                       n_threads,
                       number(row.intensity, 4),
                       number(row.gb_per_s, 2),
                       number(row.gflops, 2),
                       number(row.ridge, 4),
                       number(row.gflops_under_copies.value_or(0), 2),
                       number(row.link_gb_per_s.value_or(0), 2),
                       shape_columns(row));
}

std::string gpu_row(const OpRow& row) {
    return fmt::format("{}{} {} {} {} {} {} {}\n",
                       noise_line(row),
                       row.op,
                       row.quant,
                       number(row.intensity, 4),
                       number(row.gb_per_s, 2),
                       number(row.gflops, 2),
                       number(row.ridge, 4),
                       shape_columns(row));
}

bool header_has_link(const MachineProfile& profile) {
    return profile.cpu && profile.cpu->dram_gb_per_s && profile.cpu->copy_efficiency_percent &&
           profile.link.standalone_gb_per_s && profile.link.concurrent_gb_per_s;
}

// The line of the published template, in its short form where the link is not known in full.
std::string threads_line(const MachineProfile& profile) {
    const CpuProfile& cpu = *profile.cpu;
    if (!cpu.dram_gb_per_s) return {};
    std::string line = fmt::format(
        "#   Threads={}: DRAM_BW={} GB/s", cpu.n_threads, number(*cpu.dram_gb_per_s, 1));
    if (header_has_link(profile)) {
        line += fmt::format(", PCIe_Standalone={} GB/s, PCIe_Concurrent={} GB/s (CPU_Eff={}%)",
                            number(*profile.link.standalone_gb_per_s, 1),
                            number(*profile.link.concurrent_gb_per_s, 1),
                            number(*cpu.copy_efficiency_percent, 1));
    }
    return line + "\n";
}

std::string text_lines(const MachineProfile& profile) {
    std::string text;
    for (const TextKey& key : text_keys()) {
        const std::string& value = profile.*key.field;
        if (!value.empty()) text += key_line(key.name, value);
    }
    if (profile.provenance == Provenance::Measured) return text;
    const auto provenance = static_cast<std::size_t>(profile.provenance);
    return text + key_line(kProvenanceKey, kProvenances[provenance]);
}

std::string number_lines(const MachineProfile& profile, KeyHome home) {
    std::string text;
    for (const NumberKey& key : number_keys()) {
        const auto value = key.get(profile);
        const bool written = key.in_header && home == KeyHome::Cpu && header_has_link(profile);
        if (!value || written || !key.stands_in(home, profile)) continue;
        text += key_line(key.name, number(*value, 1));
    }
    return text;
}

// "SOURCE MB H2D D2H"; without the last where the copies went one way.
std::string copy_columns(const CopyPoint& point) {
    std::string columns = fmt::format("{} {} {}",
                                      kCopySources[static_cast<std::size_t>(point.source)],
                                      number(point.mb, 1),
                                      number(point.h2d_gb_per_s, 1));
    if (point.d2h_gb_per_s) columns += " " + number(*point.d2h_gb_per_s, 1);
    return columns;
}

// Comes before the rows, so that a file that was cut off tells of it.
std::string rows_line(std::size_t n_rows) { return key_line(kRowsKey, fmt::format("{}", n_rows)); }

std::string link_lines(const LinkProfile& link) {
    std::string text;
    if (link.concurrent_measured) text += key_line(kConcurrentMeasuredKey, "1");
    for (const SlicePoint& point : link.sliced) {
        text += key_line(
            kSlicedKey, fmt::format("{} {}", number(point.slice_mb, 1), number(point.gb_per_s, 1)));
    }
    for (const CopyPoint& point : link.copies) text += key_line(kCopyKey, copy_columns(point));
    return text;
}

std::string key_lines(const MachineProfile& profile, KeyHome home) {
    std::string text = text_lines(profile) + number_lines(profile, home);
    if (home == KeyHome::Gpu) {
        for (const OverheadPoint& point : profile.gpu->overhead) {
            text +=
                key_line(kOverheadKey, fmt::format("{} {}", point.n_ubatch, number(point.mib, 1)));
        }
    }
    if (link_home(profile) == home) text += link_lines(profile.link);
    return text;
}

std::string cpu_text(const MachineProfile& profile) {
    const CpuProfile& cpu = *profile.cpu;
    std::string text = fmt::format("# Concurrent Profiling (threads={}, batch_sizes={})\n",
                                   cpu.n_threads,
                                   batch_list(cpu.rows));
    text += "# Measured Bandwidths Per Thread Count:\n" + threads_line(profile);
    text += key_lines(profile, KeyHome::Cpu) + rows_line(cpu.rows.size());
    text +=
        "# op_name quant threads AI(FLOP/byte) BW(GB/s) GFLOP/s Ridge(FLOP/byte) "
        "Concurrent_GFLOP/s PCIe_Concurrent_BW N K B n_tokens ctx_len n_heads head_dim "
        "n_elements\n";
    for (const OpRow& row : cpu.rows) text += cpu_row(row, cpu.n_threads);
    return text;
}

std::string gpu_text(const MachineProfile& profile) {
    const GpuProfile& gpu = *profile.gpu;
    std::string text = fmt::format(
        "# GPU Profiling (backend={}, batch_sizes={}", gpu.backend, batch_list(gpu.rows));
    if (gpu.memory_gb_per_s) {
        text += fmt::format(", GPU_Memory_BW={} GB/s", number(*gpu.memory_gb_per_s, 1));
    }
    if (gpu.peak_gflops) {
        text += fmt::format(", GPU_Peak_Compute={} GFLOP/s", number(*gpu.peak_gflops, 1));
    }
    text += ")\n" + key_lines(profile, KeyHome::Gpu) + rows_line(gpu.rows.size());
    text +=
        "# op_name quant AI(FLOP/byte) BW(GB/s) GFLOP/s Ridge(FLOP/byte) N K B n_tokens ctx_len "
        "n_heads head_dim n_elements\n";
    for (const OpRow& row : gpu.rows) text += gpu_row(row);
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
