// A profile's rows, sorted by what bounded them: the look-up tables of cost/roofline.h.
// Internal to cost/.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cost/rate_surface.h"
#include "cost/roofline.h"
#include "machine/machine_profile.h"

namespace pshard {

// What a row computed and moved, by its shape. Only an attention row's intensity is used, since the
// row does not tell its query heads; other intensities and all bandwidths are not believed.
struct RowWork {
    double flops = 0;
    double bytes = 0;
    double batch = 0;
    double size = 0;
};

[[nodiscard]] RowWork row_work(const OpRow& row);

struct QuantRates {
    std::string quant{};
    RateSurface gflops{};    // of rows that compute bound; FamilyRates::finish may add others
    RateSurface gb_per_s{};  // of rows that memory bound, all at batch 1: no batch changes it
    double best_gflops = 0;  // of all rows but those that a launch bound
    std::vector<RowWork> memory_bound{};  // rows that memory bound: compute was not their limit
};

// A rate that was found, and whether its rows have the wanted quant and a batch near the wanted
// one.
struct FoundRate {
    double rate = 0;
    bool near = false;
};

// The rows of one family of ops on one processor.
class FamilyRates {
public:
    QuantRates& of(const std::string& quant);

    // To be called once, when all rows are in. Where memory bound a row, compute was no limit: the
    // quant's best rate stands there, since a slow row of another size would be taken otherwise.
    void finish();

    // The compute rate, by the nearest quant that has one; nullopt if no quant has. With
    // `floor_codebooks`, for CPUs: a quant that was not measured, and that decodes by a code book
    // or has unknown bits, gets at most the slowest rate of all quants, from 32 rows on.
    [[nodiscard]] std::optional<FoundRate> gflops(const OpWork& work, bool floor_codebooks) const;

    // The memory rate, by the nearest quant that has one; nullopt if no quant has.
    [[nodiscard]] std::optional<FoundRate> gb_per_s(const OpWork& work) const;

private:
    [[nodiscard]] double slowest_gflops(const OpWork& work) const;

    std::vector<QuantRates> quants_;
};

// Everything that is known of one processor, in bytes, flops and seconds.
struct ProcessorRates {
    bool known = false;
    bool estimated = false;  // whether a figure of the header is a fallback
    bool is_cpu = false;
    double bytes_per_second = 0;       // 0: unknown
    double flops_per_second = 0;       // of ops that are no matmul; 0: unknown
    double peak_flops_per_second = 0;  // 0: unknown
    Seconds launch_seconds = 0;
    Seconds graph_seconds = 0;  // for each graph that is computed by itself; 0 also if unknown
    Seconds scan_step_seconds = 0;
    bool scan_step_known = false;
    FamilyRates matmul;
    FamilyRates matmul_id;
    std::map<std::int64_t, FamilyRates> attention;           // by head dimension
    std::map<std::string, RateSurface, std::less<>> others;  // by op name: GB/s over elements
};

// The rates for the nearest head dimension; a family without rows if there are no attention rows.
[[nodiscard]] const FamilyRates& attention_rates(const ProcessorRates& rates, double head_dim);

[[nodiscard]] ProcessorRates gpu_rates(const MachineProfile& profile, bool under_copies);
[[nodiscard]] ProcessorRates cpu_rates(const MachineProfile& profile, bool under_copies);

}  // namespace pshard
