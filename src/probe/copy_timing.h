// Times copies of one size, slices from all over, and what a copy or a hand-over costs besides its
// bytes. Each copy takes another stretch of the host memory, so that no cache holds it.
#pragma once

#include <optional>

#include "probe/copy_queue.h"
#include "probe/host_memory.h"
#include "probe/sampler.h"

namespace pshard {

enum class Way : std::uint8_t { Up, Down };  // host to device, device to host

// What copies are timed with. `host` has at least as many bytes as any size that is asked for.
struct CopyBench {
    CopyQueue& queue;
    const HostBlock& host;
    SamplePolicy policy{};
};

// Bytes per second of copies of `size` bytes, queued one after the other.
[[nodiscard]] double copy_rate(const CopyBench& bench, Way way, Bytes size);

// The same of slices from random places, put side by side on the device: 64 MB of them in a row, as
// the experts that a batch needs.
[[nodiscard]] double slice_rate(const CopyBench& bench, Bytes slice);

// Per copy in a full queue, less the time of its bytes at `bytes_per_second`.
[[nodiscard]] Seconds copy_setup(const CopyBench& bench, double bytes_per_second);

// Kernel -> copy -> host -> copy -> kernel, by two: what a hand-over between GPU and CPU takes that
// neither `launch` (per kernel) nor `setup` (per copy) accounts for. Fails when the device refuses.
struct KnownCosts {
    Seconds launch = 0;
    Seconds setup = 0;
};

[[nodiscard]] Result<Seconds> hand_over(const CopyBench& bench, const KnownCosts& known);

// Recording an event in one queue and waiting for it in the other; absent where the device has no
// events.
[[nodiscard]] std::optional<Seconds> event_cost(const CopyQueue& first,
                                                const CopyQueue& second,
                                                const SamplePolicy& policy);

}  // namespace pshard
