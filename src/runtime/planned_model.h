// A model with its orders: the arena in VRAM, what lies in it, and where each tier puts things.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "runtime/handles.h"
#include "runtime/orders.h"
#include "runtime/page_locks.h"
#include "runtime/residency.h"
#include "runtime/tier_picker.h"

namespace pshard {

// How far a graph is from what was planned. Each is right; each later one is slower.
enum class Fallback {
    None,       // as ordered
    HostState,  // states at home in host memory: parts of a graph look into one from both sides
    NoStreams,  // what would be streamed is computed on the CPU: a graph that cannot be streamed
    Host,       // the CPU does it all
};

// Where a graph's tensors are to lie.
struct TierPlace {
    Placement placement;
    StageOptions options;
    TierArena arena;

    bool operator==(const TierPlace&) const = default;
};

class PlannedModel {
public:
    PlannedModel(ggml_backend_dev_t gpu, const DevicePolicy& policy, PageLocks& locks);

    Model model;
    Residency residency;

    [[nodiscard]] bool planned() const { return orders_.has_value(); }

    // Asks the planner, and allocates the arena. Fails with the planner's reason, or the device's.
    Status plan(const Planner& planner, Bytes budget);

    // Page-locks the weights and states that passes or plan switches upload.
    struct LockedPages {
        Bytes wanted = 0;
        Bytes locked = 0;
    };

    LockedPages lock_pages();

    // Brings all states home and gives the arena back: to be planned anew.
    void release(Staging& link);

    // The tier that the next pass runs in, of a batch of `n_tokens`. A graph without weights (0
    // tokens) stays where things are.
    std::size_t next_tier(std::uint32_t n_tokens);

    [[nodiscard]] TierPlace place(std::size_t tier, Fallback fallback) const;

    // Makes the arena hold what `place` says; returns the bytes moved. Nothing may be running.
    Bytes settle(const TierPlace& place, std::size_t tier, Staging& link);

    [[nodiscard]] bool is_settled(const TierPlace& place) const { return settled_ == place.arena; }

    // States change hands: their places in the arena are to be filled anew, and their memory may
    // go.
    void unsettle();

    [[nodiscard]] ggml_backend_buffer_t arena() const { return arena_.get(); }

    [[nodiscard]] Bytes arena_bytes() const;

    [[nodiscard]] const Orders& orders() const { return *orders_; }

    // Device bytes that a pass may use for its values.
    [[nodiscard]] Bytes scratch_room(const TierArena& arena) const;

    // For graphs without a plan, which keep nothing resident: at least so much scratch.
    Status grow_scratch(Bytes bytes, Bytes budget);

private:
    Status allocate(Bytes bytes);

    ggml_backend_dev_t gpu_;
    std::optional<Orders> orders_;
    std::optional<TierPicker> picker_;  // of the orders' tiers
    BufferHandle arena_;
    PageLocks& page_locks_;
    PageLocks::Lock locked_weights_;
    std::optional<PageLocks::Lock> locked_states_;  // nullopt: to be locked
    std::optional<TierArena> settled_;  // nullopt: what lies there is not what a tier wants
    std::size_t tier_ = 0;
};

}  // namespace pshard
