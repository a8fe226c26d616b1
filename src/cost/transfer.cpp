// How long copies over the link take, and how many bytes of routed experts must travel.
//
// In:   bytes in so many pieces, the kind of their memory, and what else runs meanwhile.
// Out:  seconds:  max(bytes / rate + pieces * setup,  bytes / curve(bytes / pieces))
//
//     rate    of a long copy: with nothing else, a busy CPU, a busy GPU or the other direction;
//             at most what host memory reads, and for pageable memory at most its own rate
//     curve   the rate that copies of one size reached, with their setup in it:
//
//             GB/s |          ______ the outermost rate beyond the points
//                  |      .-'
//                  |  .-'            straight over the logarithm of the size between them
//                  |_'______________ size of a piece
//
// The larger of the two times is taken. The curve is right for pieces of the sizes that were
// measured; the rate is right where the curve promises too much: smaller pieces, slower memory, a
// busy CPU.
//
// Experts: a batch touches D of E experts (ops/op_sums.h). These lie in R = D (E - D + 1) / E runs,
// as a random subset does, and each run is padded. They never cost more than the whole weight.
//
// Traps: a machine without page-locked memory has pageable copies only; their rate is then the
// link's. A figure that is missing has a fallback, which marks the rates as estimated.
#include "cost/transfer.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "ops/op_sums.h"

namespace pshard {

namespace {

// Fallbacks, all of the reference machine [S1]; docs/models/cost.md, "Constants".
constexpr Seconds kSetupSeconds = 3.1e-6;     // Copy_Setup_us [S3]
constexpr Seconds kSwitchSeconds = 24e-6;     // Engine_Switch_us, 24 to 31 [S3]
constexpr double kPageableShare = 0.3;        // 13.5 of 45 GB/s [A19]
constexpr double kReferenceGbPerSecond = 45;  // the link that has the next curve
constexpr std::array kReferenceSliced = {     // PCIe_Sliced [S3]
    SlicePoint{0.5, 23.3},
    SlicePoint{2, 29.6},
    SlicePoint{8, 30.0},
    SlicePoint{32, 29.4}};
constexpr Bytes kExpertPadding = 512;  // after each run of experts [S6]

// The measured value; or the fallback, which sets `estimated`.
double known_or(const std::optional<double>& value, double fallback, bool& estimated) {
    if (!value) estimated = true;
    return value.value_or(fallback);
}

// The rate of a curve at a size: a straight line over the logarithm of the size between the points,
// and the rate of the outermost point beyond them.
double rate_at(double copy_bytes, const std::vector<SlicePoint>& curve) {
    const double size = copy_bytes / 1e6;
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

// The time of a copy at the rate of a long one, which has no setup in it.
Seconds bulk_seconds(const Copy& copy, double rate, const LinkRates& link) {
    return d_bytes(copy.bytes) / rate + double(copy.pieces) * link.setup_seconds;
}

// The time of a copy at the rate that copies of its size reached; 0 if none were measured.
Seconds curve_seconds(const Copy& copy, const std::vector<SlicePoint>& curve) {
    if (curve.empty()) return 0;
    return d_bytes(copy.bytes) / rate_at(d_bytes(copy.bytes) / double(copy.pieces), curve);
}

using Curve = std::vector<SlicePoint>;

Curve points_up(const LinkProfile& link, CopySource source) {
    Curve curve;
    for (const CopyPoint& point : link.copies) {
        if (point.source == source) curve.push_back({point.mb, point.h2d_gb_per_s});
    }
    return curve;
}

Curve points_down(const LinkProfile& link, CopySource source) {
    Curve curve;
    for (const CopyPoint& point : link.copies) {
        const bool counts = point.source == source && point.d2h_gb_per_s;
        if (counts) curve.push_back({point.mb, *point.d2h_gb_per_s});
    }
    return curve;
}

// Chooses the curves. Streamed weights lie in the mapping of their file, which is locked in place
// if the device can do that; states lie in memory that the device may write to.
void set_curves(const LinkProfile& link, LinkRates& rates) {
    rates.locked = points_up(link, CopySource::Registered);
    if (rates.locked.empty()) rates.locked = points_up(link, CopySource::Pinned);
    rates.pageable = points_up(link, CopySource::Pageable);
    if (rates.locked.empty()) rates.locked = rates.pageable;
    for (const CopySource source :
         {CopySource::Pinned, CopySource::Registered, CopySource::Pageable}) {
        if (rates.down.empty()) rates.down = points_down(link, source);
    }
}

// Sets the rates beside other work. If one was not measured, copies keep the rate that they have
// alone; that is no estimate, since nothing was seen to slow them down.
void set_loaded(const LinkProfile& link, LinkRates& rates) {
    const double h2d = rates.h2d_bytes_per_second;
    const double d2h = rates.d2h_bytes_per_second;
    rates.h2d_under_gpu_load = std::min(h2d, link.under_gpu_gb_per_s.value_or(h2d / 1e9) * 1e9);
    const double both = link.duplex_gb_per_s.value_or((h2d + d2h) / 1e9) * 1e9;
    const double share = std::min(1.0, both / (h2d + d2h));
    rates.h2d_duplex = h2d * share;
    rates.d2h_duplex = d2h * share;
}

double rate_up(Beside beside, const LinkRates& link) {
    switch (beside) {
        case Beside::Cpu:
            return link.h2d_under_cpu_load;
        case Beside::Gpu:
            return link.h2d_under_gpu_load;
        case Beside::OtherWay:
            return link.h2d_duplex;
        case Beside::Nothing:
            break;
    }
    return link.h2d_bytes_per_second;
}

// No profile has the rate of a download while a GPU computes, so it is that of a download alone.
double rate_down(Beside beside, const LinkRates& link) {
    if (beside == Beside::Cpu) return std::min(link.d2h_bytes_per_second, link.h2d_under_cpu_load);
    return beside == Beside::OtherWay ? link.d2h_duplex : link.d2h_bytes_per_second;
}

}  // namespace

std::optional<LinkRates> link_rates(const MachineProfile& profile) {
    const LinkProfile& link = profile.link;
    const auto best = link.standalone_gb_per_s ? link.standalone_gb_per_s : link.pageable_gb_per_s;
    if (!best) return std::nullopt;
    LinkRates rates;
    // The host's memory feeds the link.
    const auto dram = profile.cpu ? profile.cpu->dram_gb_per_s : std::nullopt;
    const double h2d = std::min(*best, dram.value_or(HUGE_VAL)) * 1e9;
    const double shared = std::min(h2d, dram ? *dram * 1e9 / 2 : h2d / 2);
    bool& guess = rates.estimated;
    rates.h2d_bytes_per_second = h2d;
    rates.h2d_under_cpu_load =
        std::min(h2d, known_or(link.concurrent_gb_per_s, shared / 1e9, guess) * 1e9);
    rates.h2d_pageable =
        std::min(h2d, known_or(link.pageable_gb_per_s, kPageableShare * h2d / 1e9, guess) * 1e9);
    rates.d2h_bytes_per_second = known_or(link.d2h_gb_per_s, h2d / 1e9, guess) * 1e9;
    set_loaded(link, rates);
    rates.setup_seconds = known_or(link.copy_setup_us, kSetupSeconds * 1e6, guess) * 1e-6;
    rates.switch_seconds = known_or(link.engine_switch_us, kSwitchSeconds * 1e6, guess) * 1e-6;
    set_curves(link, rates);
    rates.sliced = link.sliced;
    if (!rates.sliced.empty()) return rates;
    guess = true;
    for (SlicePoint point : kReferenceSliced) {
        point.gb_per_s *= h2d / 1e9 / kReferenceGbPerSecond;
        rates.sliced.push_back(point);
    }
    return rates;
}

std::string missing_prices(const MachineProfile& profile) {
    if (!profile.cpu && !profile.gpu) return "no profile of CPU and GPU";
    if (!profile.gpu) return "no GPU profile";
    if (!profile.cpu) return "no CPU profile";
    if (link_rates(profile)) return "";
    return "no rate of the link to the GPU in the profiles, which llama-profiler-cpu measures "
           "where the GPU is";
}

Seconds upload_seconds(const Copy& copy, const LinkRates& link) {
    if (copy.bytes == 0) return 0;
    double rate = rate_up(copy.beside, link);
    if (copy.memory == HostMemory::Pageable) rate = std::min(rate, link.h2d_pageable);
    const bool locked = copy.memory == HostMemory::PageLocked;
    return std::max({bulk_seconds(copy, rate, link),
                     curve_seconds(copy, locked ? link.locked : link.pageable),
                     copy.pieces > 1 ? curve_seconds(copy, link.sliced) : 0});
}

Seconds download_seconds(const Copy& copy, const LinkRates& link) {
    if (copy.bytes == 0) return 0;
    double rate = rate_down(copy.beside, link);
    if (copy.memory == HostMemory::Pageable) rate = std::min(rate, link.h2d_pageable);
    return std::max(bulk_seconds(copy, rate, link), curve_seconds(copy, link.down));
}

WeightTraffic whole_traffic(const Weight& weight) { return {weight.bytes, weight.bytes ? 1u : 0u}; }

WeightTraffic sliced_traffic(const Weight& weight, int n_experts_used, std::uint32_t n_tokens) {
    const auto n_experts = static_cast<double>(weight.shape[2]);
    if (!weight.routed || n_experts < 2 || n_experts_used <= 0) return whole_traffic(weight);
    const double distinct = distinct_experts(n_experts, n_experts_used, n_tokens);
    // n experts, drawn at random from E in a row, lie in n*(E-n+1)/E runs on average.
    const double runs = std::max(1.0, distinct * (n_experts - distinct + 1) / n_experts);
    const double expert = d_bytes(weight.bytes) / n_experts;
    const double padding = std::min(expert, d_bytes(kExpertPadding));
    const auto bytes = static_cast<Bytes>(std::ceil(distinct * expert + runs * padding));
    if (bytes >= weight.bytes) return whole_traffic(weight);
    return {bytes, static_cast<std::uint64_t>(std::ceil(runs))};
}

}  // namespace pshard
