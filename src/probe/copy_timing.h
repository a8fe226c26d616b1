// Times copies of one size, copies of gathered slices, and what a copy or a hand-over costs besides
// its bytes. Each copy takes another stretch of the host memory, so that no cache holds it.
#pragma once

#include <optional>

#include "probe/copy_queue.h"
#include "probe/host_memory.h"
#include "probe/sampler.h"

namespace pshard {

enum class Way : std::uint8_t { Up, Down };  // host to device, device to host

// What copies are timed with. `host` must be at least as large as any copy that is asked for.
struct CopyBench {
    CopyQueue& queue;
    const HostBlock& host;
    SamplePolicy policy{};
};

// The bytes per second of copies of `size` bytes, queued one after the other.
[[nodiscard]] double copy_rate(const CopyBench& bench, Way way, Bytes size);

// The same for slices from random places, which come to lie side by side on the device, as the
// experts do that a batch needs. A sample has 64 MB of slices.
[[nodiscard]] double slice_rate(const CopyBench& bench, Bytes slice);

// The seconds of a copy in a full queue, without the time of its bytes at `bytes_per_second`.
[[nodiscard]] Seconds copy_setup(const CopyBench& bench, double bytes_per_second);

struct KnownCosts {
    Seconds launch = 0;  // per kernel
    Seconds setup = 0;   // per copy
};

// The seconds of a hand-over between GPU and CPU, besides the known costs: half of the round
// kernel -> copy -> host -> copy -> kernel. Fails if the device refuses.
[[nodiscard]] Result<Seconds> hand_over(const CopyBench& bench, const KnownCosts& known);

// The seconds that it takes to record an event in one queue and to wait for it in the other;
// nullopt if the device has no events.
[[nodiscard]] std::optional<Seconds> event_cost(const CopyQueue& first,
                                                const CopyQueue& second,
                                                const SamplePolicy& policy);

}  // namespace pshard
