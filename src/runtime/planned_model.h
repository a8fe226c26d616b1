// A model with its orders: the arena in VRAM, what lies in it, and where each tier puts things.
#pragma once

#include <optional>

#include "ggml_kit/handles.h"
#include "runtime/orders.h"
#include "runtime/page_locks.h"
#include "runtime/residency.h"
#include "runtime/tier_picker.h"

namespace pshard {

// How far a pass is from what was planned. All compute the same; each is slower than the one
// before.
enum class Fallback {
    None,       // as ordered
    HostState,  // states stay in host memory: parts of a graph on both devices look into one
    NoStreams,  // the CPU computes what would be streamed: the graph cannot be streamed
    Host,       // the CPU does it all
};

// Where a graph's tensors are to lie.
struct Places {
    Placement placement;
    StageOptions options;
    TierArena arena;

    bool operator==(const Places&) const = default;
};

class PlannedModel {
public:
    // `progress`: told what takes long; may be empty.
    PlannedModel(ggml_backend_dev_t gpu,
                 const DevicePolicy& policy,
                 PageLocks& locks,
                 Log progress);

    Model model;
    Residency residency;
    RateWatch rates{{}};  // of the tiers of the orders

    [[nodiscard]] bool planned() const { return orders_.has_value(); }

    // Asks the planner, and allocates the arena. Fails with the planner's reason, or the device's.
    Status plan(const OrderGiver& source, Bytes budget);

    // The arena that the device refused when it was planned last; 0: it did not.
    [[nodiscard]] Bytes refused_bytes() const { return refused_bytes_; }

    // Page-locks the weights and states that passes or plan switches upload.
    struct LockedPages {
        Bytes wanted = 0;
        Bytes locked = 0;
    };

    LockedPages lock_pages();

    // Those of the states alone, which mark_stale() has let go. Nothing may be copied meanwhile,
    // and passes that were compiled before look for states at their old places.
    void lock_states();

    [[nodiscard]] bool has_locked_states() const { return locked_states_.has_value(); }

    // Brings all states home and gives the arena back: the model is to be planned anew.
    void release(Staging& link);

    // The tier that the next pass, of a batch of `n_tokens`, runs in. A graph without weights (0
    // tokens) takes the tier that is in the arena.
    // `begun`: the tier of the piece that a piece goes on with; it stays there if that holds it.
    std::size_t next_tier(std::uint32_t n_tokens, std::optional<std::size_t> begun);

    [[nodiscard]] Places places(std::size_t tier, Fallback fallback) const;

    // Makes the arena hold what `places` says; returns the bytes moved. Nothing may be running.
    Bytes fill_arena(const Places& places, std::size_t tier, Staging& link);

    [[nodiscard]] bool holds(const Places& places) const { return filled_ == places.arena; }

    // The model's states have changed: the next pass fills the arena anew, and no lock on a state's
    // memory is kept.
    void mark_stale();

    [[nodiscard]] ggml_backend_buffer_t arena() const { return arena_.get(); }

    [[nodiscard]] Bytes arena_bytes() const;

    [[nodiscard]] const Orders& orders() const { return *orders_; }

    // Device bytes that a pass may use for its values.
    [[nodiscard]] Bytes scratch_room(const TierArena& arena) const;

    // Makes the arena at least so large, for graphs without a plan: they keep nothing resident.
    Status grow_scratch(Bytes bytes, Bytes budget);

private:
    Status allocate(Bytes bytes);

    ggml_backend_dev_t gpu_;
    std::optional<Orders> orders_;
    std::optional<TierPicker> picker_;  // chooses among the orders' tiers
    BufferHandle arena_;
    Bytes refused_bytes_ = 0;
    PageLocks& page_locks_;
    Log progress_;
    PageLocks::Lock locked_weights_;
    std::optional<PageLocks::Lock> locked_states_;  // nullopt: lock_states() is due
    std::optional<TierArena> filled_;               // nullopt: the arena holds no tier's plan
    std::size_t tier_ = 0;
};

}  // namespace pshard
