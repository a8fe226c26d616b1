// How the rows of a profile become tables to look up.
//
// In:   the rows of a profile, each with the GFLOP/s and GB/s of an op on a shape, and the
//       bandwidth in the profile's header.
// Out:  ProcessorRates: for each family of ops and each quant, what compute allows (C) and what
//       memory allows (W), by batch and size.
//
//     row -> family, by its name
//             |- other ops: GB/s over elements, by the op's name
//             `- MUL_MAT, MUL_MAT_ID, attention: what bounded the row?
//                   less than 3 launches long (GPU)        launch:  says nothing, dropped
//                   60 % of the bandwidth or more          memory:  a point of W
//                   else                                   compute: a point of C
//
// The bound is judged by the row's shape and rate alone: its flops / rate is the time that it took,
// and its bytes / time is the bandwidth. The columns for intensity and bandwidth are not believed:
// published profilers count experts in them that a batch does not touch.
//
// Traps:
// * A row that moved more than memory can give was served by a cache, and is cut to the bandwidth.
// * Where memory bound a row, compute was no limit. The quant's best rate stands for C there
//   (FamilyRates::finish); a slow row of a small matrix would otherwise be taken for a large one.
// * Rates under copies are scaled after a row was judged, never before.
// * An attention row does not tell its query heads. They follow from its intensity, which is used
//   for nothing else.
#include "cost/rate_table.h"

#include <algorithm>
#include <cmath>

#include "machine/quant.h"
#include "ops/op_sums.h"
#include "ops/op_table.h"

namespace pshard {

namespace {

// A row is bound by memory if it moved its bytes at this share of the header's bandwidth or more.
constexpr double kMemoryBoundShare = 0.6;

// A GPU row that took less than this many launches measured the launch, not the work.
constexpr double kLaunchBoundLaunches = 3;

// Fallbacks for figures that the profile does not have; docs/models/cost.md, "Constants".
constexpr Seconds kGpuLaunchSeconds = 2e-6;
constexpr Seconds kCpuLaunchSeconds = 2e-6;
constexpr Seconds kGpuScanStepSeconds = 1.4e-6;  // 700 us a layer at 512 tokens [S3]
constexpr double kCpuVectorFlopsPerByte = 1;     // of memory bandwidth
constexpr double kGpuVectorFlopsPerByte = 4;

void finish(ProcessorRates& rates) {
    rates.matmul.finish();
    rates.matmul_id.finish();
    for (auto& [head_dim, family] : rates.attention) family.finish();
}

double product(std::int64_t a, std::int64_t b) { return double(a) * double(b); }

double weight_bytes(const OpRow& row) {
    return product(row.n, row.k) * bits_per_weight(row.quant).value_or(16) / 8;
}

RowWork matmul_row_work(const OpRow& row) {
    const double batch = double(row.batch);
    const FlopsAndBytes sums = product_sums(double(row.n), double(row.k), batch, weight_bytes(row));
    return {sums.flops, sums.bytes, batch, product(row.n, row.k)};
}

// The work of a row of routed experts. Routes by round robin touch min(E, used*batch) experts; a
// row of our profilers with other routes tells the touched experts in n_heads.
RowWork matmul_id_row_work(const OpRow& row) {
    const double routes = product(row.n_tokens, row.batch);
    const double distinct =
        row.n_heads > 0 ? double(row.n_heads) : std::min(double(row.ctx_len), routes);
    const FlopsAndBytes sums =
        product_sums(double(row.n), double(row.k), routes, weight_bytes(row) * distinct);
    return {sums.flops, sums.bytes, routes / distinct, product(row.n, row.k)};
}

// The work of an attention row, which reads Q, K and V and writes as much as Q. Its query heads h
// follow from AI = 4tdch / (8tdh + 4dcg), with t tokens, c cells, head size d and g KV heads.
RowWork attention_row_work(const OpRow& row) {
    const double tokens = double(row.n_tokens);
    const double cells = double(row.ctx_len);
    const double rest = cells - 2 * row.intensity;
    if (rest <= 0 || row.intensity <= 0) return {};
    const double heads = row.intensity * cells * double(row.n_heads) / (tokens * rest);
    const double flops = attention_flops(2 * double(row.head_dim), tokens, cells) * heads;
    return {flops, flops / row.intensity, tokens, cells};
}

enum class RowBound { Compute, Memory, Launch, Unusable };

struct JudgedRow {
    RowBound bound = RowBound::Unusable;
    RowWork work;
    double gb_per_s = 0;
};

// Judges a row by the time that it took. Its intensity and ridge count only if the profile has no
// bandwidth.
JudgedRow judge(const OpRow& row, const ProcessorRates& rates) {
    JudgedRow judged{.work = row_work(row)};
    if (judged.work.flops <= 0 || judged.work.bytes <= 0) return judged;
    const double seconds = judged.work.flops / (row.gflops * 1e9);
    judged.gb_per_s = judged.work.bytes / seconds / 1e9;
    const double roof = rates.bytes_per_second / 1e9;
    if (!rates.is_cpu && seconds < kLaunchBoundLaunches * rates.launch_seconds) {
        judged.bound = RowBound::Launch;
    } else if (roof > 0 ? judged.gb_per_s >= kMemoryBoundShare * roof : row.intensity < row.ridge) {
        judged.bound = RowBound::Memory;
    } else {
        judged.bound = RowBound::Compute;
    }
    return judged;
}

FamilyRates* family_of(const OpRow& row, ProcessorRates& rates) {
    switch (family_of_row(row.op)) {
        case OpFamily::MatMul:
            return &rates.matmul;
        case OpFamily::MatMulId:
            return &rates.matmul_id;
        case OpFamily::Attention:
            return &rates.attention[row.head_dim];
        default:
            return nullptr;
    }
}

// Adds a row. `share` is its rate under copies as a share of its rate alone, and `roof_share` the
// same for the bandwidth.
void add_row(const OpRow& row, double share, double roof_share, ProcessorRates& rates) {
    FamilyRates* family = family_of(row, rates);
    if (!family) {
        if (row.n_elements > 0) {
            rates.others[row.op].add(1, double(row.n_elements), row.gb_per_s * share);
        }
        return;
    }
    const JudgedRow judged = judge(row, rates);
    if (judged.bound == RowBound::Launch || judged.bound == RowBound::Unusable) return;
    QuantRates& quant = family->of(row.quant);
    quant.best_gflops = std::max(quant.best_gflops, row.gflops * share);
    if (judged.bound == RowBound::Compute) {
        quant.gflops.add(judged.work.batch, judged.work.size, row.gflops * share);
    }
    // Faster than memory means that a cache held the weights [A36].
    const double roof = rates.bytes_per_second * roof_share / 1e9;
    const double measured = judged.gb_per_s * share;
    if (judged.bound == RowBound::Memory) {
        quant.memory_bound.push_back(judged.work);
        quant.gb_per_s.add(1, judged.work.size, roof > 0 ? std::min(measured, roof) : measured);
    }
}

double under_copies_share(const OpRow& row, double efficiency) {
    return row.gflops_under_copies ? std::min(1.0, *row.gflops_under_copies / row.gflops)
                                   : efficiency;
}

// The CPU's rate under copies as a share of its rate alone. CPU and copies draw on one memory: if
// the profile has no measurement, each gets its share of what both could take.
double efficiency_under_copies(const MachineProfile& profile) {
    const CpuProfile& cpu = *profile.cpu;
    if (cpu.copy_efficiency_percent) return std::min(1.0, *cpu.copy_efficiency_percent / 100);
    const LinkProfile& link = profile.link;
    const auto copies =
        link.standalone_gb_per_s ? link.standalone_gb_per_s : link.pageable_gb_per_s;
    if (!cpu.dram_gb_per_s || !copies) return 1;
    return *cpu.dram_gb_per_s / (*cpu.dram_gb_per_s + *copies);
}

// How far the bits per weight of two quants are apart; unknown quants are the furthest.
double quant_distance(std::string_view a, std::string_view b) {
    if (a == b) return 0;
    const auto bits_a = bits_per_weight(a);
    const auto bits_b = bits_per_weight(b);
    if (!bits_a || !bits_b) return 1e9;
    return 1e-9 + std::abs(std::log(*bits_a / *bits_b));
}

const QuantRates* nearest(const std::vector<QuantRates>& quants,
                          std::string_view wanted,
                          RateSurface QuantRates::*surface) {
    const QuantRates* best = nullptr;
    for (const QuantRates& quant : quants) {
        if ((quant.*surface).empty()) continue;
        if (!best || quant_distance(quant.quant, wanted) < quant_distance(best->quant, wanted)) {
            best = &quant;
        }
    }
    return best;
}

}  // namespace

RowWork row_work(const OpRow& row) {
    const OpFamily family = family_of_row(row.op);
    if (family == OpFamily::MatMul) return matmul_row_work(row);
    if (family == OpFamily::MatMulId && row.n_tokens > 0) return matmul_id_row_work(row);
    if (family == OpFamily::Attention && row.n_tokens > 0) return attention_row_work(row);
    return {};
}

QuantRates& FamilyRates::of(const std::string& quant) {
    const auto found = std::find_if(quants_.begin(), quants_.end(), [&](const QuantRates& rates) {
        return rates.quant == quant;
    });
    if (found != quants_.end()) return *found;
    return quants_.emplace_back(QuantRates{.quant = quant});
}

void FamilyRates::finish() {
    const bool any_compute = std::any_of(
        quants_.begin(), quants_.end(), [](const auto& quant) { return !quant.gflops.empty(); });
    for (QuantRates& quant : quants_) {
        if (any_compute && quant.gflops.empty()) continue;
        for (const RowWork& work : quant.memory_bound) {
            quant.gflops.add(work.batch, work.size, quant.best_gflops);
        }
    }
}

double FamilyRates::slowest_gflops(const OpWork& work) const {
    double slowest = HUGE_VAL;
    for (const QuantRates& quant : quants_) {
        if (quant.gflops.empty()) continue;
        slowest = std::min(slowest, quant.gflops.at(work.batch, work.size));
    }
    return slowest;
}

std::optional<FoundRate> FamilyRates::gflops(const OpWork& work, bool floor_codebooks) const {
    const QuantRates* best = nearest(quants_, work.quant, &QuantRates::gflops);
    if (!best) return std::nullopt;
    const bool own = best->quant == work.quant;
    const bool slow = is_codebook_quant(work.quant) || !bits_per_weight(work.quant);
    FoundRate found{best->gflops.at(work.batch, work.size), own && best->gflops.covers(work.batch)};
    if (!own && slow && floor_codebooks && work.batch >= 32) {
        found.rate = std::min(found.rate, slowest_gflops(work));
    }
    return found;
}

std::optional<FoundRate> FamilyRates::gb_per_s(const OpWork& work) const {
    const QuantRates* best = nearest(quants_, work.quant, &QuantRates::gb_per_s);
    if (!best) return std::nullopt;
    return FoundRate{best->gb_per_s.at(1, work.size), best->quant == work.quant};
}

const FamilyRates& attention_rates(const ProcessorRates& rates, double head_dim) {
    static const FamilyRates kNone;
    const FamilyRates* best = &kNone;
    double distance = HUGE_VAL;
    for (const auto& [dim, family] : rates.attention) {
        const double away = std::abs(double(dim) - head_dim);
        if (away >= distance) continue;
        best = &family;
        distance = away;
    }
    return *best;
}

ProcessorRates gpu_rates(const MachineProfile& profile, bool under_copies) {
    ProcessorRates rates;
    if (!profile.gpu) return rates;
    const GpuProfile& gpu = *profile.gpu;
    if (under_copies && !gpu.copy_efficiency_percent) return rates;
    const double share = under_copies ? std::min(1.0, *gpu.copy_efficiency_percent / 100) : 1;
    rates.known = gpu.memory_gb_per_s || gpu.peak_gflops || !gpu.rows.empty();
    rates.bytes_per_second = gpu.memory_gb_per_s.value_or(0) * 1e9;
    rates.peak_flops_per_second = gpu.peak_gflops.value_or(0) * 1e9;
    rates.flops_per_second = gpu.vector_gflops ? *gpu.vector_gflops * 1e9
                                               : kGpuVectorFlopsPerByte * rates.bytes_per_second;
    rates.launch_seconds = gpu.launch_us ? *gpu.launch_us * 1e-6 : kGpuLaunchSeconds;
    rates.graph_seconds = gpu.subgraph_us.value_or(0) * 1e-6;
    rates.scan_step_seconds = gpu.scan_step_us ? *gpu.scan_step_us * 1e-6 : kGpuScanStepSeconds;
    rates.scan_step_known = gpu.scan_step_us.has_value();
    for (const OpRow& row : gpu.rows) add_row(row, share, share, rates);
    finish(rates);
    rates.bytes_per_second *= share;
    rates.flops_per_second *= share;
    rates.peak_flops_per_second *= share;
    rates.scan_step_seconds /= share;
    return rates;
}

ProcessorRates cpu_rates(const MachineProfile& profile, bool under_copies) {
    ProcessorRates rates;
    rates.is_cpu = true;
    if (!profile.cpu) return rates;
    const CpuProfile& cpu = *profile.cpu;
    const double efficiency = under_copies ? efficiency_under_copies(profile) : 1;
    rates.known = cpu.dram_gb_per_s || !cpu.rows.empty();
    rates.estimated = under_copies && !cpu.copy_efficiency_percent;
    rates.bytes_per_second = cpu.dram_gb_per_s.value_or(0) * 1e9;
    rates.flops_per_second = cpu.vector_gflops ? *cpu.vector_gflops * 1e9
                                               : kCpuVectorFlopsPerByte * rates.bytes_per_second;
    rates.launch_seconds = cpu.launch_us ? *cpu.launch_us * 1e-6 : kCpuLaunchSeconds;
    rates.graph_seconds = cpu.graph_us.value_or(0) * 1e-6;
    rates.scan_step_known = true;  // a CPU has no step of its own: it runs at its vector rate
    // add_row judges rows against the bandwidth without copies, which is scaled only after them.
    for (const OpRow& row : cpu.rows) {
        const double share = under_copies ? under_copies_share(row, efficiency) : 1;
        add_row(row, share, efficiency, rates);
    }
    finish(rates);
    rates.bytes_per_second *= efficiency;
    rates.flops_per_second *= efficiency;
    return rates;
}

}  // namespace pshard
