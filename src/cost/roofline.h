// The seconds of one op on one processor that has all of its operands at hand:
//
//   max(flops / C, bytes / W) + launch
//
// C is what the profile's rows say of compute at the op's quant, batch and size, W what they say of
// memory (roofline.cpp). More work never takes less time.
//
// Doubt:  `extrapolated` is set if the profile has no row of that op or quant, or if the batch is
//         more than twice beyond the measured ones.
// Source: [S5], [S7]; docs/models/cost.md answers each weakness of the published predictor.
// Fails:  nullopt if the profile has nothing to price with on that processor.
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
    GpuUnderCopies,  // the same; known only if the profile has the GPU's copy efficiency
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

// A profile that is prepared for many questions. It never changes, so threads may share it.
class Roofline {
public:
    explicit Roofline(const MachineProfile& profile);

    // Whether op_time can say anything about that processor.
    [[nodiscard]] bool knows(Processor processor) const;

    [[nodiscard]] std::optional<OpTime> op_time(const OpWork& work, Processor processor) const;

    // The seconds of each node besides its work: a kernel's launch, or the barrier of the threads.
    [[nodiscard]] Seconds launch_seconds(Processor processor) const;

    // The seconds of a graph that is computed by itself, besides its nodes; 0 if not measured.
    [[nodiscard]] Seconds graph_seconds(Processor processor) const;

private:
    struct Tables;
    std::shared_ptr<const Tables> tables_;
};

}  // namespace pshard
