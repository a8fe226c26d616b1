// The fields of profile files, as tables (base/fields.h). The reader, the writer and the rounding
// of profiles walk these tables, so a new key or column is one row here and one in
// docs/formats/profile.md. Internal to machine/ and tools/profiler.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/fields.h"
#include "machine/machine_profile.h"

namespace pshard {

// ---- forms ----

// Writes the published number of decimals, or more if the value needs them.
void write_number(std::string& out, double value, int decimals);

// What a figure may be that is not 0: far beyond any machine on both sides. Outside, it is a fault
// of the file, which would make seconds of no length or without end.
inline constexpr double kLeastFigure = 1e-6;
inline constexpr double kMostFigure = 1e9;

template <int Decimals>
struct AboveZero {
    using Value = double;

    static std::string expected() {
        return fmt::format("a number from {} to {}", kLeastFigure, kMostFigure);
    }

    static void write(std::string& out, double value) { write_number(out, value, Decimals); }

    static bool read(std::string_view word, double& value) {
        const auto number = number_of<double>(word);
        if (!number || *number < kLeastFigure || *number > kMostFigure) return false;
        value = *number;
        return true;
    }
};

template <int Decimals>
struct Rate : AboveZero<Decimals> {
    static std::string expected() { return "0, or " + AboveZero<Decimals>::expected(); }

    static bool read(std::string_view word, double& value) {
        if (AboveZero<Decimals>::read(word, value)) return true;
        const bool is_zero = number_of<double>(word) == 0.0;
        if (is_zero) value = 0;
        return is_zero;
    }
};

// A figure for which the published profilers write 0 if they do not know it.
template <int Decimals>
struct ZeroIsUnknown {
    using Value = std::optional<double>;

    static std::string expected() { return Rate<Decimals>::expected(); }

    static void write(std::string& out, const Value& value) {
        write_number(out, value.value_or(0), Decimals);
    }

    static bool read(std::string_view word, Value& value) {
        double number = 0;
        if (!Rate<Decimals>::read(word, number)) return false;
        value = number > 0 ? Value(number) : std::nullopt;
        return true;
    }
};

// A flag that is written only if it is true.
struct IfTrue : Flag {
    static void write(std::string& out, bool value) { out += value ? "1" : ""; }
};

using Count = Whole<std::int64_t, 0, 1'000'000'000'000>;
using Threads = Whole<int, 0, 1000000>;

// ---- rows ----

// A row of a CPU file, which also says for how many threads it was measured.
struct CpuRow {
    int n_threads = 0;
    OpRow row;
};

// A row has the columns of these tables in their order; only CPU files have those of threads and of
// copies.
inline constexpr std::array kOpColumns = {field<&OpRow::op>("op_name"),
                                          field<&OpRow::quant>("quant")};
inline constexpr std::array kThreadsColumn = {field<Threads, &CpuRow::n_threads>("threads")};
inline constexpr std::array kRateColumns = {field<Rate<4>, &OpRow::intensity>("AI"),
                                            field<Rate<2>, &OpRow::gb_per_s>("BW"),
                                            field<Rate<2>, &OpRow::gflops>("GFLOP/s"),
                                            field<Rate<4>, &OpRow::ridge>("Ridge")};
inline constexpr std::array kCopiesColumns = {
    field<ZeroIsUnknown<2>, &OpRow::gflops_under_copies>("Concurrent_GFLOP/s"),
    field<ZeroIsUnknown<2>, &OpRow::link_gb_per_s>("PCIe_Concurrent_BW")};
inline constexpr std::array kShapeColumns = {field<Count, &OpRow::n>("N"),
                                             field<Count, &OpRow::k>("K"),
                                             field<Count, &OpRow::batch>("B"),
                                             field<Count, &OpRow::n_tokens>("n_tokens"),
                                             field<Count, &OpRow::ctx_len>("ctx_len"),
                                             field<Count, &OpRow::n_heads>("n_heads"),
                                             field<Count, &OpRow::head_dim>("head_dim"),
                                             field<Count, &OpRow::n_elements>("n_elements")};

// ---- published headers: a number behind each key ----

// What the header line of one thread count says.
struct ThreadFacts {
    int n_threads = 0;
    std::optional<double> dram;
    std::optional<double> standalone;
    std::optional<double> concurrent;
    std::optional<double> efficiency_percent;
};

inline constexpr std::array kCpuHeadFields = {field<Threads, &ThreadFacts::n_threads>("(threads=")};
inline constexpr std::array kThreadsLineFields = {
    field<Threads, &ThreadFacts::n_threads>("Threads="),
    field<ZeroIsUnknown<1>, &ThreadFacts::dram>("DRAM_BW="),
    field<ZeroIsUnknown<1>, &ThreadFacts::standalone>("PCIe_Standalone="),
    field<ZeroIsUnknown<1>, &ThreadFacts::concurrent>("PCIe_Concurrent="),
    field<ZeroIsUnknown<1>, &ThreadFacts::efficiency_percent>("CPU_Eff=")};
inline constexpr std::array kGpuHeadFields = {
    field<ZeroIsUnknown<1>, &GpuProfile::memory_gb_per_s>("GPU_Memory_BW="),
    field<ZeroIsUnknown<1>, &GpuProfile::peak_gflops>("GPU_Peak_Compute=")};
// The line that a later fork of the published profiler writes.
inline constexpr std::array kForkFields = {
    field<ZeroIsUnknown<1>, &LinkProfile::page_lock_ceiling_gb>("Host_Pin_Ceiling: ")};

// ---- `# pshard KEY=VALUE`, in the order in which they are written ----

// Texts: the value is the rest of the line.
inline constexpr std::array kMachineTexts = {
    field<&MachineProfile::cpu_name>("cpu_name"),
    field<&MachineProfile::gpu_name>("gpu_name"),
    field<&MachineProfile::os_name>("os_name"),
    field<&MachineProfile::gpu_driver>("gpu_driver"),
    field<&MachineProfile::link_name>("link_name"),
    field<&MachineProfile::ggml_version>("ggml_version"),
    field<&MachineProfile::date>("date"),
    field<&MachineProfile::source>("source"),
};

inline constexpr std::array<std::string_view, 3> kProvenances = {"measured", "derived", "quick"};
inline constexpr std::array kProvenanceFields = {
    field<OneOf<Provenance, kProvenances>, &MachineProfile::provenance>("provenance")};

inline constexpr std::array kMachineNumbers = {
    field<AboveZero<1>, &MachineProfile::cpu_cores>("machine.cpu_cores"),
    field<AboveZero<1>, &MachineProfile::host_memory_mib>("machine.host_memory_mib"),
};

// The first row stands in the Threads line instead, if all figures of that line are known.
inline constexpr std::array kCpuFields = {
    field<AboveZero<1>, &CpuProfile::copy_efficiency_percent>("cpu.copy_efficiency_percent"),
    field<AboveZero<1>, &CpuProfile::vector_gflops>("cpu.vector_gflops"),
    field<Rate<1>, &CpuProfile::launch_us>("cpu.launch_us"),
    field<Rate<1>, &CpuProfile::graph_us>("cpu.graph_us"),
};
inline constexpr std::size_t kCpuFieldsInHeader = 1;

inline constexpr std::array kGpuFields = {
    field<AboveZero<1>, &GpuProfile::copy_efficiency_percent>("gpu.copy_efficiency_percent"),
    field<AboveZero<1>, &GpuProfile::vector_gflops>("gpu.vector_gflops"),
    field<AboveZero<1>, &GpuProfile::memory_mib>("gpu.memory_mib"),
    field<Rate<1>, &GpuProfile::overhead_mib>("gpu.overhead_mib"),
    field<Rate<1>, &GpuProfile::overhead_unseen_mib>("gpu.overhead_unseen_mib"),
    field<Rate<1>, &GpuProfile::launch_us>("gpu.launch_us"),
    field<Rate<1>, &GpuProfile::launch_uncaptured_us>("gpu.launch_uncaptured_us"),
    field<Rate<1>, &GpuProfile::subgraph_us>("gpu.subgraph_us"),
    field<Rate<1>, &GpuProfile::subgraph_uncaptured_us>("gpu.subgraph_uncaptured_us"),
    field<Rate<1>, &GpuProfile::scan_step_us>("gpu.scan_step_us"),
};

// The first two rows stand in the Threads line instead, if all figures of that line are known.
inline constexpr std::array kLinkFields = {
    field<AboveZero<1>, &LinkProfile::standalone_gb_per_s>("link.standalone_gb_per_s"),
    field<AboveZero<1>, &LinkProfile::concurrent_gb_per_s>("link.concurrent_gb_per_s"),
    field<AboveZero<1>, &LinkProfile::d2h_gb_per_s>("link.d2h_gb_per_s"),
    field<AboveZero<1>, &LinkProfile::duplex_gb_per_s>("link.duplex_gb_per_s"),
    field<AboveZero<1>, &LinkProfile::under_gpu_gb_per_s>("link.under_gpu_gb_per_s"),
    field<AboveZero<1>, &LinkProfile::registered_gb_per_s>("link.registered_gb_per_s"),
    field<AboveZero<1>, &LinkProfile::pageable_gb_per_s>("link.pageable_gb_per_s"),
    field<AboveZero<1>, &LinkProfile::page_lock_ceiling_gb>("link.page_lock_ceiling_gb"),
    field<AboveZero<1>, &LinkProfile::register_s_per_gib>("link.register_s_per_gib"),
    field<Rate<1>, &LinkProfile::copy_setup_us>("link.copy_setup_us"),
    field<Rate<1>, &LinkProfile::event_us>("link.event_us"),
    field<Rate<1>, &LinkProfile::engine_switch_us>("link.engine_switch_us"),
};
inline constexpr std::size_t kLinkFieldsInHeader = 2;

// Points have one line each, with the columns behind the key.
inline constexpr std::string_view kOverheadKey = "gpu.overhead";
inline constexpr std::array kOverheadColumns = {field<Count, &OverheadPoint::n_ubatch>("n_ubatch"),
                                                field<Rate<1>, &OverheadPoint::mib>("MiB")};

inline constexpr std::array kLinkAnswers = {
    field<IfTrue, &LinkProfile::concurrent_measured>("link.concurrent_measured")};

inline constexpr std::string_view kSlicedKey = "link.sliced";
inline constexpr std::array kSlicedColumns = {
    field<AboveZero<1>, &SlicePoint::slice_mb>("size of a slice in MB"),
    field<AboveZero<1>, &SlicePoint::gb_per_s>("GB/s")};

inline constexpr std::string_view kCopyKey = "link.copy";
inline constexpr std::array<std::string_view, 3> kCopySources = {
    "pinned", "registered", "pageable"};
inline constexpr std::array kCopyColumns = {
    field<OneOf<CopySource, kCopySources>, &CopyPoint::source>("source"),
    field<AboveZero<1>, &CopyPoint::mb>("size of a copy in MB"),
    field<AboveZero<1>, &CopyPoint::h2d_gb_per_s>("GB/s to the device"),
    field<AboveZero<1>, &CopyPoint::d2h_gb_per_s>("GB/s to the host")};

// The number of rows in the file that the line stands in, which shows whether the file was cut off.
struct FileFacts {
    std::int64_t n_rows = 0;
};

inline constexpr std::array kFileFields = {field<Count, &FileFacts::n_rows>("rows")};

// What a line tells of the row below it.
inline constexpr std::array kNoiseFields = {
    field<AboveZero<1>, &OpRow::noisy_percent>("row.noisy_percent")};

}  // namespace pshard
