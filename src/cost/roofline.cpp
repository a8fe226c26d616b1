// How an op's work becomes seconds.
//
// In:   an OpWork and a processor.
// Out:  seconds, what bounds them, and whether the profile's rates are for something else.
//
//     rows of the op's own name?  yes:  bytes / their GB/s at that size          + launch
//                                 no:   max(flops / C, bytes / W)                + launch
//
//                               C                               W
//     products and attention    rows of the family, else of     rows of the family, else
//                               MUL_MAT, else a quarter         the header's bandwidth
//                               of the peak
//     all other ops             the header's vector rate        the header's bandwidth
//
// A recurrence takes at least the time of its steps.
//
// Traps: the rows of products and attention lie in their families, so rows of the op's own name
// price only the other ops. An op without rows of its name may be priced by those of another op
// (OpRule::else_profile_row). Only the larger bound decides whether a price is extrapolated: a
// guessed C does not matter to an op that waits for memory.
#include "cost/roofline.h"

#include <algorithm>

#include "cost/rate_table.h"

namespace pshard {

namespace {

// The share of its peak that a processor is taken to reach if no row tells a rate.
constexpr double kShareOfPeak = 0.25;

struct RateQuery {
    double rate = 0;  // per second; 0: unknown
    bool near = false;
};

const FamilyRates& family_of(const OpWork& work, const ProcessorRates& rates) {
    if (work.family == OpFamily::MatMulId) return rates.matmul_id;
    if (work.family == OpFamily::Attention) return attention_rates(rates, work.head_dim);
    return rates.matmul;
}

// C: the rate of rows of the op's family, else of MUL_MAT, else a share of the peak.
RateQuery compute_rate(const OpWork& work, const ProcessorRates& rates) {
    if (work.family == OpFamily::Other || work.family == OpFamily::Scan) {
        return {rates.flops_per_second, true};
    }
    if (const auto found = family_of(work, rates).gflops(work, rates.is_cpu)) {
        return {found->rate * 1e9, found->near};
    }
    if (const auto found = rates.matmul.gflops(work, rates.is_cpu)) return {found->rate * 1e9};
    return {rates.peak_flops_per_second * kShareOfPeak};
}

// W: the rate of rows of the op's family that memory bound, else the header's bandwidth.
RateQuery memory_rate(const OpWork& work, const ProcessorRates& rates) {
    if (work.family == OpFamily::Other || work.family == OpFamily::Scan) {
        return {rates.bytes_per_second, rates.bytes_per_second > 0};
    }
    if (const auto found = family_of(work, rates).gb_per_s(work)) {
        return {found->rate * 1e9, found->near};
    }
    return {rates.bytes_per_second, rates.bytes_per_second > 0};
}

Seconds at_rate(double work, double per_second) { return per_second > 0 ? work / per_second : 0; }

// The time of an op that has rows of its own name, or whose stand-in has; nullopt if the profile
// has neither.
std::optional<OpTime> measured_time(const OpWork& work, const ProcessorRates& rates) {
    auto rows = rates.others.find(work.op);
    if (rows == rates.others.end()) rows = rates.others.find(op_rule(work.op).else_profile_row);
    if (rows == rates.others.end() || work.size <= 0) return std::nullopt;
    const Seconds seconds = at_rate(work.bytes, rows->second.at(1, work.size) * 1e9);
    return OpTime{seconds + rates.launch_seconds,
                  seconds < rates.launch_seconds ? Bound::Launch : Bound::Memory,
                  rates.estimated};
}

// The time of any other op: the larger of its two bounds, and the launch.
OpTime bounded_time(const OpWork& work, const ProcessorRates& rates) {
    const RateQuery compute = compute_rate(work, rates);
    const RateQuery memory = memory_rate(work, rates);
    Seconds compute_seconds = at_rate(work.flops, compute.rate);
    if (work.family == OpFamily::Scan) {
        compute_seconds = std::max(compute_seconds, work.batch * rates.scan_step_seconds);
    }
    const Seconds memory_seconds = at_rate(work.bytes, memory.rate);
    const bool by_compute = compute_seconds > memory_seconds;
    const Seconds bound = std::max(compute_seconds, memory_seconds);
    OpTime time{bound + rates.launch_seconds, by_compute ? Bound::Compute : Bound::Memory};
    if (bound < rates.launch_seconds) time.bound_by = Bound::Launch;
    const bool scan_guess = work.family == OpFamily::Scan && !rates.scan_step_known;
    time.extrapolated = !(by_compute ? compute : memory).near || scan_guess || rates.estimated;
    return time;
}

}  // namespace

struct Roofline::Tables {
    std::array<ProcessorRates, kAllProcessors.size()> rates;
};

Roofline::Roofline(const MachineProfile& profile)
    : tables_(std::make_shared<const Tables>(Tables{{gpu_rates(profile, false),
                                                     cpu_rates(profile, false),
                                                     cpu_rates(profile, true),
                                                     gpu_rates(profile, true)}})) {}

bool Roofline::knows(Processor processor) const {
    return tables_->rates[static_cast<std::size_t>(processor)].known;
}

Seconds Roofline::launch_seconds(Processor processor) const {
    return tables_->rates[static_cast<std::size_t>(processor)].launch_seconds;
}

Seconds Roofline::graph_seconds(Processor processor) const {
    return tables_->rates[static_cast<std::size_t>(processor)].graph_seconds;
}

std::optional<OpTime> Roofline::op_time(const OpWork& work, Processor processor) const {
    const ProcessorRates& rates = tables_->rates[static_cast<std::size_t>(processor)];
    if (!rates.known) return std::nullopt;
    if (work.family == OpFamily::View) return OpTime{};
    if (const auto measured = measured_time(work, rates)) return measured;
    return bounded_time(work, rates);
}

}  // namespace pshard
