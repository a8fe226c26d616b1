// How many bytes a tier's plan takes, on the device and in host memory, as a sum of named parts.
#pragma once

#include <optional>

#include "plan/arena.h"
#include "plan/lowered.h"

namespace pshard {

// Bytes in the arena.
struct DeviceUse {
    Bytes weights = 0;  // resident
    Bytes states = 0;   // resident KV cache and recurrent state
    Bytes slots = 0;    // for what is streamed
    Bytes scratch = 0;  // values between ops

    Bytes total() const { return weights + states + slots + scratch; }

    bool operator==(const DeviceUse&) const = default;
};

// Bytes in host memory.
struct HostUse {
    Bytes streamed = 0;  // weights uploaded in every pass: to be page-locked
    Bytes computed = 0;  // weights that the CPU computes with: page cache
    Bytes states = 0;   // KV cache and recurrent state: the CPU's own, and masters of streamed ones
    Bytes scratch = 0;  // values between ops on the CPU, and the graph's inputs

    Bytes total() const { return streamed + computed + states + scratch; }

    bool operator==(const HostUse&) const = default;
};

struct MemoryUse {
    DeviceUse device;
    HostUse host;

    bool operator==(const MemoryUse&) const = default;
};

// What the arena of a GPU holds. `lowered`: with its scratch, or with peaks that are known from
// elsewhere.
DeviceUse device_use(const Inventory& inventory, const Lowered& lowered, int gpu = 0);

// What the first GPU and the host hold.
MemoryUse memory_use(const Inventory& inventory, const Lowered& lowered);

// What the host offers.
struct HostLimits {
    std::optional<Bytes> memory;             // nullopt: unknown, not checked
    std::optional<Bytes> page_lock_ceiling;  // nullopt: all of `memory`

    bool operator==(const HostLimits&) const = default;
};

// The part of the streamed bytes, 0 to 1, that can be page-locked; the rest is uploaded from
// pageable memory. 1 where nothing is streamed.
double page_locked_share(const HostUse& use, const HostLimits& limits);

// The bytes that the host's memory is short of; 0 if it holds all, or its size is unknown.
Bytes host_shortage(const HostUse& use, const HostLimits& limits);

}  // namespace pshard
