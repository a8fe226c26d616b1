#include "profiler/report.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/counted.h"
#include "probe/devices.h"

namespace pshard::tool {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostLeftOut = 5;  // sentences in the text; the JSON has all

struct Figure {
    const char* name;  // as the JSON has it
    const char* text;
    std::optional<double> value;
    const char* unit;
};

std::vector<Figure> cpu_figures(const MachineProfile& profile) {
    const CpuProfile& cpu = *profile.cpu;
    const LinkProfile& link = profile.link;
    return {{"dram_gb_per_s", "memory bandwidth", cpu.dram_gb_per_s, "GB/s"},
            {"launch_us", "per node", cpu.launch_us, "us"},
            {"graph_us", "per graph", cpu.graph_us, "us"},
            {"vector_gflops", "recurrences", cpu.vector_gflops, "GFLOP/s"},
            {"copy_efficiency_percent", "CPU under copies", cpu.copy_efficiency_percent, "%"},
            {"h2d_gb_per_s", "host to device", link.standalone_gb_per_s, "GB/s"},
            {"d2h_gb_per_s", "device to host", link.d2h_gb_per_s, "GB/s"},
            {"duplex_gb_per_s", "both ways at once", link.duplex_gb_per_s, "GB/s"},
            {"registered_gb_per_s", "from registered memory", link.registered_gb_per_s, "GB/s"},
            {"pageable_gb_per_s", "from pageable memory", link.pageable_gb_per_s, "GB/s"},
            {"concurrent_gb_per_s", "while the CPU computes", link.concurrent_gb_per_s, "GB/s"},
            {"under_gpu_gb_per_s", "while the GPU computes", link.under_gpu_gb_per_s, "GB/s"},
            {"copy_setup_us", "per copy", link.copy_setup_us, "us"},
            {"engine_switch_us", "per hand-over", link.engine_switch_us, "us"},
            {"event_us", "per event", link.event_us, "us"},
            {"register_s_per_gib", "to page-lock", link.register_s_per_gib, "s/GiB"},
            {"page_lock_ceiling_gb", "can be page-locked", link.page_lock_ceiling_gb, "GB"}};
}

std::vector<Figure> gpu_figures(const GpuProfile& gpu) {
    return {{"memory_gb_per_s", "memory bandwidth", gpu.memory_gb_per_s, "GB/s"},
            {"peak_gflops", "peak", gpu.peak_gflops, "GFLOP/s"},
            {"vector_gflops", "recurrences", gpu.vector_gflops, "GFLOP/s"},
            {"scan_step_us", "per step of those", gpu.scan_step_us, "us"},
            {"memory_mib", "memory", gpu.memory_mib, "MiB"},
            {"overhead_mib", "outside of allocations", gpu.overhead_mib, "MiB"},
            {"overhead_unseen_mib", "of it, unseen", gpu.overhead_unseen_mib, "MiB"},
            {"launch_us", "per kernel", gpu.launch_us, "us"},
            {"subgraph_us", "per graph", gpu.subgraph_us, "us"},
            {"launch_uncaptured_us", "per kernel, no capture", gpu.launch_uncaptured_us, "us"},
            {"subgraph_uncaptured_us", "per graph, no capture", gpu.subgraph_uncaptured_us, "us"},
            {"copy_efficiency_percent", "GPU under copies", gpu.copy_efficiency_percent, "%"}};
}

std::vector<Figure> figures_of(const MachineProfile& profile) {
    return profile.cpu ? cpu_figures(profile) : gpu_figures(*profile.gpu);
}

const std::vector<OpRow>& rows_of(const MachineProfile& profile) {
    return profile.cpu ? profile.cpu->rows : profile.gpu->rows;
}

// A line for each of the first few sentences, and one for the rest.
std::string listed(const char* word, const std::vector<std::string>& sentences) {
    std::string text;
    const std::size_t shown = std::min(kMostLeftOut, sentences.size());
    for (std::size_t i = 0; i < shown; i++) text += fmt::format("{}: {}\n", word, sentences[i]);
    if (shown < sentences.size()) {
        text += fmt::format("{}: {} more\n", word, sentences.size() - shown);
    }
    return text;
}

std::string text_report(const ProfilerOptions& options, const Measured& measured, Seconds took) {
    const MachineProfile& profile = measured.profile;
    const std::vector<OpRow>& rows = rows_of(profile);
    const std::vector<std::string>& unreached = measured.unreached;
    const auto noisy = std::count_if(
        rows.begin(), rows.end(), [](const OpRow& row) { return row.noisy_percent.has_value(); });
    std::string text = fmt::format(
        "{}: {} in {:.0f} s{}{}\n",
        options.output,
        counted(rows.size(), "op"),
        took,
        noisy > 0 ? fmt::format(", {} noisy", noisy) : "",
        unreached.empty() ? "" : fmt::format(", no time for {} more", unreached.size()));
    const std::string& name = profile.cpu ? profile.cpu_name : profile.gpu_name;
    if (!name.empty()) text += fmt::format("  {}\n", name);
    for (const Figure& figure : figures_of(profile)) {
        if (!figure.value) continue;
        text += fmt::format("  {:<24}{:>10.5g} {}\n", figure.text, *figure.value, figure.unit);
    }
    for (const std::string& note : measured.notes) text += fmt::format("note: {}\n", note);
    return text + listed("left out", measured.left_out) + listed("no time for", unreached);
}

Json row_json(const OpRow& row) {
    Json json = {{"op", row.op},
                 {"quant", row.quant},
                 {"gflops", row.gflops},
                 {"gb_per_s", row.gb_per_s},
                 {"n", row.n},
                 {"k", row.k},
                 {"batch", row.batch},
                 {"n_tokens", row.n_tokens},
                 {"ctx_len", row.ctx_len},
                 {"n_heads", row.n_heads},
                 {"head_dim", row.head_dim},
                 {"n_elements", row.n_elements}};
    if (row.gflops_under_copies) json["gflops_under_copies"] = *row.gflops_under_copies;
    if (row.noisy_percent) json["noisy_percent"] = *row.noisy_percent;
    return json;
}

std::string json_report(const ProfilerOptions& options, const Measured& measured, Seconds took) {
    Json json = {{"output", options.output},
                 {"seconds", took},
                 {"cpu", measured.profile.cpu_name},
                 {"gpu", measured.profile.gpu_name},
                 {"unreached", measured.unreached},
                 {"notes", measured.notes},
                 {"left_out", measured.left_out}};
    Json& figures = json["figures"] = Json::object();
    for (const Figure& figure : figures_of(measured.profile)) {
        if (figure.value) figures[figure.name] = *figure.value;
    }
    Json& rows = json["rows"] = Json::array();
    for (const OpRow& row : rows_of(measured.profile)) rows.push_back(row_json(row));
    return json.dump(2) + "\n";
}

}  // namespace

std::string device_list(bool json) {
    std::string text;
    Json array = Json::array();
    for (const DeviceInfo& device : list_devices()) {
        array.push_back({{"name", device.name},
                         {"description", device.description},
                         {"backend", device.backend},
                         {"gpu", device.is_gpu},
                         {"total_mib", in_mib(device.total_bytes)},
                         {"free_mib", in_mib(device.free_bytes)},
                         {"bus_id", device.bus_id}});
        text += fmt::format("{:<10} {} ({:.0f} MiB, {:.0f} MiB free){}\n",
                            device.name,
                            device.description,
                            in_mib(device.total_bytes),
                            in_mib(device.free_bytes),
                            device.bus_id.empty() ? "" : ", " + device.bus_id);
    }
    return json ? array.dump(2) + "\n" : text;
}

std::string profiler_report(const ProfilerOptions& options,
                            const Measured& measured,
                            Seconds took) {
    return options.json ? json_report(options, measured, took)
                        : text_report(options, measured, took);
}

}  // namespace pshard::tool
