// A profile's rows, sorted by what bounded them: the look-up tables of cost/roofline.h.
// Internal to cost/.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cost/rate_surface.h"
#include "cost/roofline.h"
#include "machine/machine_profile.h"

namespace pshard {

// What a row did, from its shape. Its intensity and bandwidth columns are not believed, except for
// attention, whose number of query heads the row does not tell.
struct RowWork {
    double flops = 0;
    double bytes = 0;
    double batch = 0;
    double size = 0;
};

[[nodiscard]] RowWork row_work(const OpRow& row);

struct QuantRates {
    std::string quant{};
    RateSurface gflops{};    // of compute-bound rows; see FamilyRates::finish for the others
    RateSurface gb_per_s{};  // of memory-bound rows; all at batch 1: bandwidth knows no batch
    double best_gflops = 0;  // of all rows but the launch-bound ones
    std::vector<RowWork> memory_bound{};  // rows that say only that compute was not the limit
};

// A rate that was found, and whether it is of this very quant and near this batch.
struct FoundRate {
    double rate = 0;
    bool near = false;
};

// The rows of one family of ops on one processor.
class FamilyRates {
public:
    QuantRates& of(const std::string& quant);

    // Call once, when all rows are in. Where a memory-bound row was measured, compute was no limit:
    // the quant's best rate stands there, lest a slow compute-bound row of another size be taken.
    void finish();

    // nullopt: no compute-bound row at all. `floor_codebooks`: on CPUs, quants that decode by a
    // code book and were not measured run at the slowest measured rate from 32 rows on.
    [[nodiscard]] std::optional<FoundRate> gflops(const OpWork& work, bool floor_codebooks) const;

    // nullopt: no memory-bound row at all.
    [[nodiscard]] std::optional<FoundRate> gb_per_s(const OpWork& work) const;

private:
    [[nodiscard]] double slowest_gflops(const OpWork& work) const;

    std::vector<QuantRates> quants_;
};

// Everything known of one processor, in bytes, flops and seconds.
struct ProcessorRates {
    bool known = false;
    bool estimated = false;  // a header figure is a fallback
    bool is_cpu = false;
    double bytes_per_second = 0;       // 0: unknown
    double flops_per_second = 0;       // of ops that are no matmul; 0: unknown
    double peak_flops_per_second = 0;  // 0: unknown
    Seconds launch_seconds = 0;
    Seconds graph_seconds = 0;  // of a graph that is computed by itself; 0 also where unknown
    Seconds scan_step_seconds = 0;
    bool scan_step_known = false;
    FamilyRates matmul;
    FamilyRates matmul_id;
    std::map<std::int64_t, FamilyRates> attention;           // by head dimension
    std::map<std::string, RateSurface, std::less<>> others;  // by op name: GB/s over elements
};

// The rows of the nearest head dimension; a family without rows where there are none.
[[nodiscard]] const FamilyRates& attention_rates(const ProcessorRates& rates, double head_dim);

[[nodiscard]] ProcessorRates gpu_rates(const MachineProfile& profile, bool under_copies);
[[nodiscard]] ProcessorRates cpu_rates(const MachineProfile& profile, bool under_copies);

}  // namespace pshard
