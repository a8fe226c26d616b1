#include "profiler/rounding.h"

#include <cstdlib>

#include <fmt/format.h>

#include "machine/profile_keys.h"

namespace pshard::tool {
namespace {

void round_one(double& value) {
    value = std::strtod(fmt::format("{:.4g}", value).c_str(), nullptr);
}

void round_one(std::optional<double>& value) {
    if (value) round_one(*value);
}

void round_rows(std::vector<OpRow>& rows) {
    for (OpRow& row : rows) {
        round_one(row.intensity);
        round_one(row.gb_per_s);
        round_one(row.gflops);
        round_one(row.ridge);
        round_one(row.gflops_under_copies);
        round_one(row.link_gb_per_s);
        round_one(row.noisy_percent);
    }
}

void round_link(LinkProfile& link) {
    for (SlicePoint& point : link.sliced) round_one(point.gb_per_s);
    for (CopyPoint& point : link.copies) {
        round_one(point.mb);
        round_one(point.h2d_gb_per_s);
        round_one(point.d2h_gb_per_s);
    }
}

}  // namespace

void round_figures(MachineProfile& profile) {
    for (const NumberKey& key : number_keys()) {
        if (std::holds_alternative<std::optional<double> MachineProfile::*>(key.field)) continue;
        std::optional<double> value = key.get(profile);
        if (!value) continue;
        round_one(*value);
        key.set(profile, *value);
    }
    round_link(profile.link);
    if (profile.cpu) {
        round_one(profile.cpu->dram_gb_per_s);
        round_rows(profile.cpu->rows);
    }
    if (!profile.gpu) return;
    round_one(profile.gpu->memory_gb_per_s);
    round_one(profile.gpu->peak_gflops);
    for (OverheadPoint& point : profile.gpu->overhead) round_one(point.mib);
    round_rows(profile.gpu->rows);
}

}  // namespace pshard::tool
