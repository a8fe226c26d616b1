// Lays out the arena of a GPU for all tiers of a variant.
//
// In: for each tier what it keeps resident, its slots and its scratch. Out: for each tier an
// address for each of these; what all tiers keep has one address in all of them.
//
// Residents are placed in this order: those that most tiers keep first, then those that the same
// set of tiers keeps, then as the model has them. So the common ones come first and without gaps.
// Each is placed at the lowest address that is free in every tier that keeps it:
//
//   tier 0   [w0 ][w2      ][w1  ][slots][scratch]
//   tier 1   [w0 ][w2      ][slots][scratch    ]           does not keep w1
//   tier 2   [w0 ][w2      ][w1  ][w3][slots][scratch]
//            common_end ---^
//
// A plan switch then moves w3 alone. Sharing may open gaps: if a tier no longer fits, all is laid
// out anew, each tier for itself. That always fits if each tier fits alone, since every size is a
// multiple of the alignment; so no tier ever fails because of another [A11].
//
// Behind the residents lie the slots (stages.h), then the scratch, then what is free.
#include "plan/arena.h"

#include <algorithm>
#include <cstdint>
#include <numeric>

#include <fmt/format.h>

namespace pshard {
namespace {

// A tensor that at least one tier keeps resident, and which tiers do.
struct Resident {
    bool is_state = false;
    std::size_t index = 0;
    Bytes bytes = 0;
    std::uint64_t tiers = 0;  // bit per tier
    int n_tiers = 0;
};

bool keeps(const TierDemand& demand, const Resident& tensor) {
    const auto& lanes = tensor.is_state ? demand.placement.states : demand.placement.weights;
    return lanes[tensor.index] == Lane::Gpu.on(demand.gpu);
}

template <typename Tensor>
void add_residents(const std::vector<Tensor>& tensors,
                   bool is_state,
                   const std::vector<TierDemand>& tiers,
                   std::vector<Resident>& residents) {
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        Resident resident{is_state, i, tensors[i].alloc_bytes, 0, 0};
        for (std::size_t t = 0; t < tiers.size(); ++t) {
            if (!keeps(tiers[t], resident)) continue;
            resident.tiers |= std::uint64_t{1} << t;
            ++resident.n_tiers;
        }
        if (resident.n_tiers > 0) residents.push_back(resident);
    }
}

// Orders residents: the most widely shared first, then those that the same tiers share, then as the
// model has them.
std::vector<Resident> residents_of(const Inventory& inventory,
                                   const std::vector<TierDemand>& tiers) {
    std::vector<Resident> residents;
    add_residents(inventory.weights, false, tiers, residents);
    add_residents(inventory.states, true, tiers, residents);
    std::stable_sort(residents.begin(), residents.end(), [](const auto& a, const auto& b) {
        return a.n_tiers != b.n_tiers ? a.n_tiers > b.n_tiers : a.tiers < b.tiers;
    });
    return residents;
}

class Packer {
public:
    Packer(const Inventory& inventory, const std::vector<TierDemand>& tiers, Bytes budget)
        : inventory_(inventory), tiers_(tiers), residents_(residents_of(inventory, tiers)) {
        layout_.budget = budget;
        layout_.tiers.resize(tiers.size());
    }

    ArenaLayout run() {
        pack(/*share=*/true);
        if (!fits()) pack(/*share=*/false);
        return std::move(layout_);
    }

private:
    // With `share`, a tensor takes the lowest address that is free in all tiers that keep it, which
    // may open gaps in some of them. Without `share`, each tier packs its own without gaps; what
    // all tiers keep comes first, and so still has one address.
    void pack(bool share) {
        for (TierArena& tier : layout_.tiers) {
            tier = TierArena{};
            tier.weights.assign(inventory_.weights.size(), kNoOffset);
            tier.states.assign(inventory_.states.size(), kNoOffset);
        }
        layout_.common_end = 0;
        for (const Resident& resident : residents_) place(resident, share);
        for (std::size_t t = 0; t < tiers_.size(); ++t) finish(layout_.tiers[t], tiers_[t]);
    }

    void place(const Resident& resident, bool share) {
        Bytes shared = 0;
        for (std::size_t t = 0; t < tiers_.size(); ++t) {
            if (keeps(tiers_[t], resident)) shared = std::max(shared, layout_.tiers[t].end);
        }
        for (std::size_t t = 0; t < tiers_.size(); ++t) {
            if (!keeps(tiers_[t], resident)) continue;
            TierArena& tier = layout_.tiers[t];
            const Bytes offset = share ? shared : tier.end;
            (resident.is_state ? tier.states : tier.weights)[resident.index] = offset;
            tier.end = offset + resident.bytes;
        }
        const bool in_all = resident.n_tiers == static_cast<int>(tiers_.size());
        if (in_all) layout_.common_end = layout_.tiers.front().end;
    }

    static void finish(TierArena& tier, const TierDemand& demand) {
        tier.slots_begin = tier.end;
        tier.slots = demand.slots;
        tier.scratch_begin = tier.slots_begin + demand.slots.total();
        tier.scratch = demand.scratch;
        tier.end = tier.scratch_begin + demand.scratch;
    }

    bool fits() const {
        return std::all_of(layout_.tiers.begin(), layout_.tiers.end(), [&](const TierArena& tier) {
            return tier.end <= layout_.budget;
        });
    }

    const Inventory& inventory_;
    const std::vector<TierDemand>& tiers_;
    std::vector<Resident> residents_;
    ArenaLayout layout_;
};

template <typename Tensor>
void add_moves(const std::vector<Tensor>& tensors,
               const std::vector<Bytes>& from,
               const std::vector<Bytes>& to,
               Bytes& up,
               Bytes& down) {
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        if (from[i] == to[i]) continue;
        if (to[i] != kNoOffset) up += tensors[i].bytes;
        if (from[i] != kNoOffset) down += tensors[i].bytes;
    }
}

}  // namespace

Bytes arena_bytes(const Inventory& inventory, const TierDemand& demand) {
    return resident_weight_bytes(inventory, demand.placement, demand.gpu) +
           resident_state_bytes(inventory, demand.placement, demand.gpu) + demand.slots.total() +
           demand.scratch;
}

Result<ArenaLayout> pack_arena(const Inventory& inventory,
                               const std::vector<TierDemand>& tiers,
                               Bytes budget) {
    PSHARD_CHECK(tiers.size() <= 64);
    for (std::size_t t = 0; t < tiers.size(); ++t) {
        const Bytes needed = arena_bytes(inventory, tiers[t]);
        if (needed <= budget) continue;
        return Error{fmt::format("tier {} needs {:.1f} MiB of device memory, {:.1f} MiB more than "
                                 "the budget; raise -mva or plan the tier smaller",
                                 t,
                                 in_mib(needed),
                                 in_mib(needed - budget)),
                     {}};
    }
    return Packer(inventory, tiers, budget).run();
}

Bytes group_offset(const TierArena& arena, const StreamGroup& group, Bytes group_bytes) {
    const SlotSizes& slots = arena.slots;
    switch (group.slot.kind) {
        case Slot::Kind::A:
            return arena.slots_begin;
        case Slot::Kind::B:
            return arena.slots_begin + slots.pair - group_bytes;
        case Slot::Kind::Experts:
            return arena.slots_begin + slots.pair;
        case Slot::Kind::Kept:
            break;
    }
    const auto first = slots.kept.begin();
    return std::accumulate(
        first, first + group.slot.number, arena.slots_begin + slots.pair + slots.experts);
}

SwitchBytes switch_bytes(const Inventory& inventory, const TierArena& from, const TierArena& to) {
    SwitchBytes moved;
    Bytes dropped = 0;  // weights have masters in host memory: nothing to bring back
    add_moves(inventory.weights, from.weights, to.weights, moved.weights, dropped);
    add_moves(inventory.states, from.states, to.states, moved.states_up, moved.states_down);
    return moved;
}

}  // namespace pshard
