// Checks where things lie in the arena of a GPU.
//
// In: for each tier its placement, its part of the arena, and where its stream groups lie. Out: one
// line for each thing that lies where it must not.
//
//   check_residents  A tensor has an address if and only if the placement keeps it on this GPU. It
//                    is aligned, and ends within the arena. The same holds for the slots and the
//                    scratch, each as one region. No two regions overlap.
//   check_slots      A group lies within its kind of slots, aligned; two groups that take A and B
//                    one after the other do not overlap.
//   verify_arena     What all tiers keep has one address, in the common part.
//
//   offset 0                                 common_end                            end   budget
//   [ weights and states that all tiers keep ][ own ][ A -> <- B | experts | kept ][scratch]
//
// Overlaps of residents are found in one walk over the regions, sorted by their begin: a region
// overlaps an earlier one if and only if it begins before the furthest end so far.
//
// Traps: the last group of a pass and the first of the next are neighbours too. Two neighbours in
// the same slot do overlap: the one takes over the slot when the other is used up, which
// check_schedule() holds. A hostile size must not wrap around: extent_of() ends at the highest
// address instead.

#include <algorithm>
#include <string_view>
#include <utility>

#include "verify/checks.h"

namespace pshard {
namespace {

// A named part of the arena. The name outlives the check: a tensor's, or a literal.
struct Region {
    Extent extent;
    std::string_view name;
};

class ResidentCheck {
public:
    ResidentCheck(const ResidentsUnderTest& residents, Violations& violations)
        : of_(residents),
          arena_(residents.place.arena),
          budget_(residents.place.budget),
          violations_(violations) {}

    void run() {
        tensors(of_.inventory.weights, of_.placement.weights, arena_.weights);
        tensors(of_.inventory.states, of_.placement.states, arena_.states);
        add({extent_of(arena_.slots_begin, arena_.slots.total()), "slots"});
        add({extent_of(arena_.scratch_begin, arena_.scratch), "scratch"});
        if (arena_.end > budget_) {
            complain(violations_, "the arena ends at {}, over the budget {}", arena_.end, budget_);
        }
        overlaps();
    }

private:
    template <typename Tensor>
    void tensors(const std::vector<Tensor>& tensors,
                 const std::vector<Lane>& lanes,
                 const std::vector<Bytes>& offsets) {
        for (std::size_t i = 0; i < tensors.size(); i++) {
            const bool resident = lanes[i] == Lane::Gpu.on(of_.gpu);
            if (resident != (offsets[i] != kNoOffset)) {
                complain(violations_,
                         "'{}' is {}resident and has {}address",
                         tensors[i].name,
                         resident ? "" : "not ",
                         resident ? "no " : "an ");
            } else if (resident) {
                add({extent_of(offsets[i], tensors[i].alloc_bytes), tensors[i].name});
            }
        }
    }

    void add(const Region& region) {
        if (region.extent.begin == region.extent.end) return;
        regions_.push_back(region);
        if (region.extent.begin % of_.inventory.device.alignment != 0) {
            complain(violations_,
                     "'{}' at {} is not aligned to {}",
                     region.name,
                     region.extent.begin,
                     of_.inventory.device.alignment);
        }
        const Bytes limit = std::min(budget_, arena_.end);
        if (region.extent.end > limit) {
            complain(violations_,
                     "'{}' ends at {}, over the {} {}",
                     region.name,
                     region.extent.end,
                     limit == budget_ ? "budget" : "arena's end",
                     limit);
        }
    }

    void overlaps() {
        std::sort(regions_.begin(), regions_.end(), [](const Region& a, const Region& b) {
            return a.extent.begin < b.extent.begin;
        });
        const Region* furthest = nullptr;
        for (const Region& region : regions_) {
            if (furthest != nullptr && region.extent.overlaps(furthest->extent)) {
                complain(violations_,
                         "'{}' [{}, {}) overlaps '{}' [{}, {})",
                         furthest->name,
                         furthest->extent.begin,
                         furthest->extent.end,
                         region.name,
                         region.extent.begin,
                         region.extent.end);
            }
            if (furthest == nullptr || region.extent.end > furthest->extent.end) furthest = &region;
        }
    }

    const ResidentsUnderTest& of_;
    const TierArena& arena_;
    Bytes budget_;
    Violations& violations_;
    std::vector<Region> regions_;
};

// The bytes of a kind of slots, and its name.
std::pair<Extent, std::string_view> slot_region(const TierArena& arena, const Slot& slot) {
    const SlotSizes& slots = arena.slots;
    const Bytes experts = arena.slots_begin + slots.pair;
    switch (slot.kind) {
        case Slot::Kind::A:
        case Slot::Kind::B:
            break;
        case Slot::Kind::Experts:
            return {extent_of(experts, slots.experts), "experts'"};
        case Slot::Kind::Kept:
            const Bytes all = slots.total() - slots.pair - slots.experts;
            return {extent_of(experts + slots.experts, all), "kept"};
    }
    return {extent_of(arena.slots_begin, slots.pair), "A/B"};
}

// Checks that a group lies in its part of the slot region.
void check_group_extent(const PlanUnderTest& plan, int index, Violations& violations) {
    const StreamGroup& group = plan.lowered.cut.groups[static_cast<std::size_t>(index)];
    const auto [part, slots] = slot_region(plan.arenas[group.slot.gpu].arena, group.slot);
    const Extent extent = group_extent(plan, index);
    if (extent.begin < part.begin || extent.end > part.end) {
        complain(violations,
                 "{} at [{}, {}) leaves the {} slots [{}, {})",
                 group_text(plan.lowered.cut, index),
                 extent.begin,
                 extent.end,
                 slots,
                 part.begin,
                 part.end);
    }
    if (extent.begin % plan.inventory.device.alignment != 0) {
        complain(violations,
                 "{} at {} is not aligned to {}",
                 group_text(plan.lowered.cut, index),
                 extent.begin,
                 plan.inventory.device.alignment);
    }
}

// Checks that a tensor that all tiers keep has one address, in the common part.
template <typename Tensor>
void check_common(const ArenaLayout& layout,
                  const Tensor& tensor,
                  std::size_t index,
                  std::vector<Bytes> TierArena::*offsets,
                  Violations& violations) {
    const Bytes first = (layout.tiers[0].*offsets)[index];
    if (extent_of(first, tensor.alloc_bytes).end > layout.common_end) {
        complain(violations,
                 "'{}' at {} is common and ends over common_end {}",
                 tensor.name,
                 first,
                 layout.common_end);
    }
    for (std::size_t t = 1; t < layout.tiers.size(); t++) {
        const Bytes offset = (layout.tiers[t].*offsets)[index];
        if (offset == first) continue;
        complain(violations,
                 "common '{}' is at {} in tier 0 and at {} in tier {}",
                 tensor.name,
                 first,
                 offset,
                 t);
    }
}

bool resident_in_all(const std::vector<Placement>& placements,
                     std::size_t index,
                     std::vector<Lane> Placement::*lanes,
                     int gpu) {
    return std::all_of(placements.begin(), placements.end(), [&](const Placement& placement) {
        return (placement.*lanes)[index] == Lane::Gpu.on(gpu);
    });
}

bool well_formed(const Inventory& inventory,
                 const std::vector<Placement>& placements,
                 const ArenaLayout& layout) {
    if (placements.size() != layout.tiers.size() || placements.empty()) return false;
    for (std::size_t t = 0; t < placements.size(); t++) {
        if (placements[t].weights.size() != inventory.weights.size()) return false;
        if (placements[t].states.size() != inventory.states.size()) return false;
        if (layout.tiers[t].weights.size() != inventory.weights.size()) return false;
        if (layout.tiers[t].states.size() != inventory.states.size()) return false;
    }
    return true;
}

}  // namespace

Extent extent_of(Bytes begin, Bytes bytes) {
    const Bytes highest = ~Bytes{0};
    return {begin, bytes > highest - begin ? highest : begin + bytes};
}

Extent group_extent(const PlanUnderTest& plan, int group) {
    const StreamGroup& streamed = plan.lowered.cut.groups[static_cast<std::size_t>(group)];
    Bytes bytes = 0;
    for (int weight : streamed.weights) {
        bytes += plan.inventory.weights[static_cast<std::size_t>(weight)].alloc_bytes;
    }
    for (int state : streamed.states) {
        bytes += plan.inventory.states[static_cast<std::size_t>(state)].alloc_bytes;
    }
    return extent_of(group_offset(plan.arenas[streamed.slot.gpu].arena, streamed, bytes), bytes);
}

void check_residents(const ResidentsUnderTest& residents, Violations& violations) {
    ResidentCheck(residents, violations).run();
}

namespace {

// Checks neighbours in the slots that the groups of a GPU take in turn.
void check_turns(const PlanUnderTest& plan, int gpu, Violations& violations) {
    std::vector<int> taking_turns;
    for (std::size_t g = 0; g < plan.lowered.cut.groups.size(); g++) {
        const Slot& slot = plan.lowered.cut.groups[g].slot;
        const bool turns = slot == Slot::A.on(gpu) || slot == Slot::B.on(gpu);
        if (turns) taking_turns.push_back(static_cast<int>(g));
    }
    for (std::size_t i = 0; i < taking_turns.size(); i++) {
        const int one = taking_turns[i];
        const int next = taking_turns[(i + 1) % taking_turns.size()];
        const auto slot = [&](int g) {
            return plan.lowered.cut.groups[static_cast<std::size_t>(g)].slot;
        };
        if (slot(one) == slot(next)) continue;  // takes over the slot: see the schedule
        const Extent a = group_extent(plan, one);
        const Extent b = group_extent(plan, next);
        if (!a.overlaps(b)) continue;
        complain(violations,
                 "{} at [{}, {}) overlaps its neighbour {} at [{}, {})",
                 group_text(plan.lowered.cut, one),
                 a.begin,
                 a.end,
                 group_text(plan.lowered.cut, next),
                 b.begin,
                 b.end);
    }
}

}  // namespace

void check_slots(const PlanUnderTest& plan, Violations& violations) {
    for (std::size_t g = 0; g < plan.lowered.cut.groups.size(); g++) {
        check_group_extent(plan, static_cast<int>(g), violations);
    }
    for (int gpu = 0; gpu < plan.lowered.cut.n_gpus; gpu++) check_turns(plan, gpu, violations);
}

std::vector<std::string> verify_arena(const Inventory& inventory,
                                      const std::vector<Placement>& placements,
                                      const ArenaLayout& layout,
                                      int gpu) {
    Violations violations;
    if (!well_formed(inventory, placements, layout)) {
        return {"placements, tiers and inventory are not of one size"};
    }
    for (std::size_t t = 0; t < placements.size(); t++) {
        check_residents({inventory, placements[t], {layout.tiers[t], layout.budget}, gpu},
                        violations);
    }
    for (std::size_t i = 0; i < inventory.weights.size(); i++) {
        if (!resident_in_all(placements, i, &Placement::weights, gpu)) continue;
        check_common(layout, inventory.weights[i], i, &TierArena::weights, violations);
    }
    for (std::size_t i = 0; i < inventory.states.size(); i++) {
        if (!resident_in_all(placements, i, &Placement::states, gpu)) continue;
        check_common(layout, inventory.states[i], i, &TierArena::states, violations);
    }
    return violations;
}

}  // namespace pshard
