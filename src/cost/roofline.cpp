// How an op's work becomes seconds.
//
// In:   an OpWork and a processor.
// Out:  seconds, what bounds them, and whether the profile had to be stretched for it.
//
//     rows of the op's own name?  yes:  bytes / their GB/s at that size          + launch
//                                 no:   max(flops / C, bytes / W)                + launch
//
//     C for products and attention: rows of the family, else of MUL_MAT, else a quarter of the peak
//     W for products and attention: rows of the family, else the header's bandwidth
//     all other ops: the header's vector rate and bandwidth; a recurrence takes its steps at least
//
// Traps: products and attention are never priced by rows of their name alone, for those rows lie
// in their families and not among the others. An op may lend its rows to another one of a profile
// that lacks them (OpRule::else_profile_row). What binds decides whether a price is extrapolated: a
// guessed C does not matter to an op that waits for memory.
#include "cost/roofline.h"

#include <algorithm>

#include "cost/rate_table.h"

namespace pshard {

namespace {

// What a processor reaches of its peak where no row of any op says more.
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

// Rows of the op's own family, else of MUL_MAT, else a share of the peak.
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

// Memory-bound rows of the op's own family, else the header's bandwidth.
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

// The whole of an op that has rows of its own name, or of the one that stands in for it; nullopt:
// the profile has neither.
std::optional<OpTime> measured_time(const OpWork& work, const ProcessorRates& rates) {
    auto rows = rates.others.find(work.op);
    if (rows == rates.others.end()) rows = rates.others.find(op_rule(work.op).else_profile_row);
    if (rows == rates.others.end() || work.size <= 0) return std::nullopt;
    const Seconds seconds = at_rate(work.bytes, rows->second.at(1, work.size) * 1e9);
    return OpTime{seconds + rates.launch_seconds,
                  seconds < rates.launch_seconds ? Bound::Launch : Bound::Memory,
                  rates.estimated};
}

// The larger of two bounds on a processor, plus what each node costs there.
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
