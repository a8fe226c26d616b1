// A plan for one tier that was sized, and priced where the machine is known.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "memory/memory_use.h"
#include "plan/stages.h"
#include "strategy/rules.h"

namespace pshard {

// What most of the time of a pass goes to.
enum class BoundBy {
    Link,  // uploads of weights and KV
    GpuCompute,
    GpuMemory,
    GpuLaunch,  // launches of small ops, hand-overs between the devices
    CpuCompute,
    CpuMemory,
    CpuLaunch,
};

std::string_view bound_name(BoundBy bound);  // "link", "GPU memory", "CPU compute", ...

struct Prediction {
    Seconds pass_seconds = 0;        // of one pass over the graph, in the rhythm of many
    double tokens_per_second = 0;    // the tier's tokens / pass_seconds
    std::uint32_t depth_tokens = 0;  // in the KV cache before the pass
    BoundBy bound_by = BoundBy::Link;
    bool extrapolated = false;  // some op has no measured row near it

    bool operator==(const Prediction&) const = default;
};

enum class Verdict {
    Viable,
    OverBudget,     // device bytes
    HostTooSmall,   // host bytes
    NotStreamable,  // a slot would be needed twice at once
};

struct Candidate {
    PlanChoice choice;
    StageOptions options;
    MemoryUse memory;
    Verdict verdict = Verdict::Viable;
    std::string reason;                    // why it is not viable; empty if it is
    std::optional<Prediction> prediction;  // nullopt: no profile

    bool operator==(const Candidate&) const = default;
};

// Predictions closer than this share are as good as equal: the plan that streams less wins, since
// it leaves the link free and makes a plan switch cheaper.
inline constexpr double kEqualShare = 0.001;

// Whether `a` is to be preferred. Asked in turn: is it viable, is it faster, has it more pinned
// layers, more pinned attention, a larger part of one more layer, fewer device bytes. Without
// predictions speed is not asked.
bool better(const Candidate& a, const Candidate& b);

}  // namespace pshard
