// A graph cut into stages: runs of nodes on one device that share the weights streamed for them.
//
//   nodes   n0 n1 n2 n3 n4 n5 n6 n7 n8 n9
//   device  G  G  G  G  C  C  G  G  G  G
//   group   -  -  0  0  -  -  -  1  1  -       (streamed part that a node reads)
//   stages  [----][----][----][-][-------]
//
// A streamed stage goes on until a node reads another group, or memory of another layer.
// A stage is what is computed as one; a group is what is uploaded as one and lives in one slot from
// its first stage to its last.
#pragma once

#include <numeric>
#include <vector>

#include "plan/assignment.h"
#include "plan/placement.h"

namespace pshard {

// The part of an arena that streamed groups take in turn. A and B alternate, so that one group is
// uploaded while the stages of the other compute; routed experts uploaded on demand have their own.
// A kept slot has a memory: what a Load brought stays there in later passes, and the same Load does
// nothing, until the Load of another group takes its place. No search makes one yet.
struct Slot {
    enum class Kind : std::uint8_t { A, B, Experts, Kept };

    Kind kind = Kind::A;
    std::uint8_t gpu = 0;      // the GPU whose arena it lies in
    std::uint16_t number = 0;  // the number of a kept slot in its arena

    static const Slot A;
    static const Slot B;
    static const Slot Experts;

    static constexpr Slot kept(int number) {
        return {Kind::Kept, 0, static_cast<std::uint16_t>(number)};
    }

    constexpr Slot on(int other) const { return {kind, static_cast<std::uint8_t>(other), number}; }

    constexpr bool keeps() const { return kind == Kind::Kept; }

    bool operator==(const Slot&) const = default;
};

inline constexpr Slot Slot::A{};
inline constexpr Slot Slot::B{Slot::Kind::B};
inline constexpr Slot Slot::Experts{Slot::Kind::Experts};

struct StreamGroup {
    int layer = -1;
    Slot slot = Slot::A;
    std::vector<int> weights;  // Inventory::weights
    std::vector<int> states;   // Inventory::states
    int first_stage = 0;
    int last_stage = 0;  // inclusive
    // True: only the experts that the batch uses are uploaded, once their ids are known, which is
    // after the stage before first_stage. False: whole tensors, as early as the slot is free.
    bool on_demand = false;

    bool operator==(const StreamGroup&) const = default;
};

struct Stage {
    Device device = Device::Gpu;
    int node_begin = 0;  // [begin, end) in Graph::nodes
    int node_end = 0;
    int group = -1;      // into StageCut::groups; -1: reads nothing that is streamed
    Bytes bytes_in = 0;  // values made on other devices, or by the host, that are brought for it

    bool operator==(const Stage&) const = default;
};

struct StageOptions {
    OpOffload offload = OpOffload::Never;
    bool slice_experts = false;  // routed experts on demand instead of whole stacks ahead

    bool operator==(const StageOptions&) const = default;
};

// What a stage of another device reads of values made on a GPU; it comes down that GPU's link.
struct Hop {
    int stage = 0;
    int from_gpu = 0;
    Bytes bytes = 0;

    bool operator==(const Hop&) const = default;
};

struct StageCut {
    int n_gpus = 1;
    std::vector<Device> devices;  // of each node
    std::vector<Stage> stages;
    std::vector<StreamGroup> groups;  // in order of first use
    std::vector<Hop> hops;            // in order of stages

    bool operator==(const StageCut&) const = default;
};

StageCut cut_stages(const Inventory& inventory,
                    const Graph& graph,
                    const Placement& placement,
                    const StageOptions& options);

// Bytes that a group takes in its slot.
Bytes group_bytes(const Inventory& inventory, const StreamGroup& group);

// Sizes of the slot region of an arena: A and B share one end each of a common range, so that it is
// as long as the largest two neighbours together; on-demand experts lie after it, then kept slots.
struct SlotSizes {
    Bytes pair = 0;
    Bytes experts = 0;
    std::vector<Bytes> kept{};  // by Slot::number

    Bytes total() const { return std::accumulate(kept.begin(), kept.end(), pair + experts); }

    bool operator==(const SlotSizes&) const = default;
};

SlotSizes slot_sizes(const Inventory& inventory,
                     const std::vector<StreamGroup>& groups,
                     int gpu = 0);

}  // namespace pshard
