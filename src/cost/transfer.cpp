#include "cost/transfer.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "cost/op_work.h"

namespace pshard {

namespace {

// Fallbacks, all of the reference box of the facts; docs/models/cost.md, "Constants".
constexpr Seconds kSetupSeconds = 3.1e-6;     // facts 1.5, Copy_Setup_us
constexpr Seconds kSwitchSeconds = 24e-6;     // facts 1.5, Engine_Switch_us 24-31
constexpr double kPageableShare = 0.3;        // facts 6.8 trap 19: 13.5 of 45 GB/s
constexpr double kReferenceGbPerSecond = 45;  // whose sliced curve the next one is
constexpr std::array kReferenceSliced = {     // facts 1.5, PCIe_Sliced
    SlicePoint{0.5, 23.3},
    SlicePoint{2, 29.6},
    SlicePoint{8, 30.0},
    SlicePoint{32, 29.4}};
constexpr Bytes kExpertPadding = 512;  // facts 2.4: after each run of experts

// The measured value, or the fallback and a mark that it is one.
double known_or(const std::optional<double>& value, double fallback, bool& estimated) {
    if (!value) estimated = true;
    return value.value_or(fallback);
}

// Between the measured slice sizes, straight over the logarithm of the size.
double sliced_rate(double slice_bytes, const std::vector<SlicePoint>& curve) {
    const double size = slice_bytes / 1e6;
    const auto above = std::find_if(curve.begin(), curve.end(), [&](const SlicePoint& point) {
        return point.slice_mb >= size;
    });
    if (above == curve.begin()) return above->gb_per_s * 1e9;
    const SlicePoint& low = *std::prev(above);
    if (above == curve.end()) return low.gb_per_s * 1e9;
    const double t = std::log(size / low.slice_mb) / std::log(above->slice_mb / low.slice_mb);
    return (low.gb_per_s + t * (above->gb_per_s - low.gb_per_s)) * 1e9;
}

double d_bytes(Bytes bytes) { return static_cast<double>(bytes); }

// At the rate of a long copy, which holds no setup.
Seconds bulk_seconds(const Copy& copy, double rate, const LinkRates& link) {
    return d_bytes(copy.bytes) / rate + double(copy.pieces) * link.setup_seconds;
}

}  // namespace

std::optional<LinkRates> link_rates(const MachineProfile& profile) {
    const LinkProfile& link = profile.link;
    if (!link.standalone_gb_per_s) return std::nullopt;
    LinkRates rates;
    // The host's memory feeds the link.
    const auto dram = profile.cpu ? profile.cpu->dram_gb_per_s : std::nullopt;
    const double h2d = std::min(*link.standalone_gb_per_s, dram.value_or(HUGE_VAL)) * 1e9;
    const double shared = std::min(h2d, dram ? *dram * 1e9 / 2 : h2d / 2);
    bool& guess = rates.estimated;
    rates.h2d_bytes_per_second = h2d;
    rates.h2d_under_cpu_load =
        std::min(h2d, known_or(link.concurrent_gb_per_s, shared / 1e9, guess) * 1e9);
    rates.h2d_pageable =
        std::min(h2d, known_or(link.pageable_gb_per_s, kPageableShare * h2d / 1e9, guess) * 1e9);
    rates.d2h_bytes_per_second = known_or(link.d2h_gb_per_s, h2d / 1e9, guess) * 1e9;
    rates.setup_seconds = known_or(link.copy_setup_us, kSetupSeconds * 1e6, guess) * 1e-6;
    rates.switch_seconds = known_or(link.engine_switch_us, kSwitchSeconds * 1e6, guess) * 1e-6;
    rates.sliced = link.sliced;
    if (!rates.sliced.empty()) return rates;
    guess = true;
    for (SlicePoint point : kReferenceSliced) {
        point.gb_per_s *= h2d / 1e9 / kReferenceGbPerSecond;
        rates.sliced.push_back(point);
    }
    return rates;
}

Seconds upload_seconds(const Copy& copy, const LinkRates& link) {
    if (copy.bytes == 0) return 0;
    double rate = link.h2d_bytes_per_second;
    if (copy.memory == HostMemory::Pageable) rate = std::min(rate, link.h2d_pageable);
    if (copy.cpu_busy) rate = std::min(rate, link.h2d_under_cpu_load);
    const Seconds in_bulk = bulk_seconds(copy, rate, link);
    if (copy.pieces <= 1 || link.sliced.empty()) return in_bulk;
    const double slice = d_bytes(copy.bytes) / double(copy.pieces);
    return std::max(in_bulk, d_bytes(copy.bytes) / sliced_rate(slice, link.sliced));
}

Seconds download_seconds(const Copy& copy, const LinkRates& link) {
    if (copy.bytes == 0) return 0;
    double rate = link.d2h_bytes_per_second;
    if (copy.memory == HostMemory::Pageable) rate = std::min(rate, link.h2d_pageable);
    if (copy.cpu_busy) rate = std::min(rate, link.h2d_under_cpu_load);
    return bulk_seconds(copy, rate, link);
}

WeightTraffic whole_traffic(const Weight& weight) { return {weight.bytes, weight.bytes ? 1u : 0u}; }

WeightTraffic sliced_traffic(const Weight& weight, int n_experts_used, std::uint32_t n_tokens) {
    const auto n_experts = static_cast<double>(weight.shape[2]);
    if (!weight.routed || n_experts < 2 || n_experts_used <= 0) return whole_traffic(weight);
    const double distinct = distinct_experts(n_experts, n_experts_used, n_tokens);
    // Of a random subset of n among E in a row, n*(E-n+1)/E runs are expected.
    const double runs = std::max(1.0, distinct * (n_experts - distinct + 1) / n_experts);
    const double expert = d_bytes(weight.bytes) / n_experts;
    const double padding = std::min(expert, d_bytes(kExpertPadding));
    const auto bytes = static_cast<Bytes>(std::ceil(distinct * expert + runs * padding));
    if (bytes >= weight.bytes) return whole_traffic(weight);
    return {bytes, static_cast<std::uint64_t>(std::ceil(runs))};
}

}  // namespace pshard
