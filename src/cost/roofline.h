// Seconds of one op on one device, its weights already there.
//
//   max(flops / C, bytes / W) + launch
//
// C: GFLOP/s of the profile's rows that were bound by compute, of the nearest quant, at that batch
//    and size. W: GB/s of rows that were bound by memory, else the header's bandwidth. More work
//    never takes less time.
//
// Doubt:  `extrapolated` is set when no row of that op or quant exists, or the batch is more than
//         twice beyond the measured ones.
// Source: [S5], [S7]; docs/models/cost.md answers each weakness of the published predictor.
// Fails:  nullopt when the profile has nothing to price with on that processor.
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "base/units.h"
#include "cost/op_work.h"
#include "machine/machine_profile.h"

namespace pshard {

enum class Processor : std::uint8_t {
    Gpu,
    Cpu,             // alone
    CpuUnderCopies,  // while the link copies to the GPU
    GpuUnderCopies,  // the same; known only where the profile has the GPU's copy efficiency
};
inline constexpr std::array kAllProcessors = {
    Processor::Gpu, Processor::Cpu, Processor::CpuUnderCopies, Processor::GpuUnderCopies};

enum class Bound : std::uint8_t { Compute, Memory, Launch };

struct OpTime {
    Seconds seconds = 0;  // 0 for views only
    Bound bound_by = Bound::Launch;
    bool extrapolated = false;

    bool operator==(const OpTime&) const = default;
};

// A profile prepared for look-ups: build once, ask often. Immutable; safe to share over threads.
class Roofline {
public:
    explicit Roofline(const MachineProfile& profile);

    // Whether op_time can say anything about that processor.
    [[nodiscard]] bool knows(Processor processor) const;

    [[nodiscard]] std::optional<OpTime> op_time(const OpWork& work, Processor processor) const;

    // Seconds of each node that are no work: a kernel's launch, or the threads' barrier.
    [[nodiscard]] Seconds launch_seconds(Processor processor) const;

    // Seconds of a graph that is computed by itself, besides its nodes: 0 where not measured.
    [[nodiscard]] Seconds graph_seconds(Processor processor) const;

private:
    struct Tables;
    std::shared_ptr<const Tables> tables_;
};

}  // namespace pshard
