// Watches how much device memory the driver takes besides the arena, and how much was predicted.
//
// A driver loads kernels, and its pools grow, when a batch of a size is first computed; it keeps a
// graph when the batch comes again; and pools grow with the depth of the caches, which is at most
// the number of tokens that were computed. So the device is asked after the first and the third
// pass of each tier, and whenever that number has doubled. The user is told once, when the smallest
// and the largest tier have run; and is warned, once, as soon as more is taken than was agreed on.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "ggml_kit/device.h"
#include "runtime/orders.h"

namespace pshard {

// What we hold of the device's memory, and what was agreed on.
struct MemoryClaims {
    Bytes arenas = 0;
    Bytes budget = 0;                      // for all arenas together
    std::optional<DriverMemory> driver{};  // predicted; nullopt: nobody measured this machine
};

// The bytes that a prediction may be wrong by: the profiler computed other graphs than this
// model's, and drivers hand memory out in pieces of 2 MiB and more.
inline constexpr Bytes kOutsideTolerance = 64 * kMiB;

// The bytes that were free before and now are neither free nor in the arenas. nullopt: this cannot
// be told, as others have given memory back, or the device does not count.
std::optional<Bytes> taken_outside(Bytes before, Bytes now, Bytes arenas);

// Why the driver takes too much: it takes more than was predicted, and all that is taken is more
// than budget and prediction allow. Empty: it does not. `outside`: bytes, with what was unseen.
std::string outside_excess(const MemoryClaims& claims, Bytes outside);

// The tier that a pass ran in, among those of its plan.
struct TierOfPass {
    TierKey key;
    TierKey smallest;
    TierKey largest;
    std::uint32_t n_tokens = 0;  // that the pass computed
};

// Asks `gpu` for its free memory. Empty where the CPU stands in: what is free there tells nothing.
std::function<Bytes()> free_memory(ggml_backend_dev_t gpu, ggml_backend_dev_t cpu);

class MemoryWatch {
public:
    // Asks `free_bytes` of the device at once: nothing of ours may be there yet. If it is empty (a
    // device that shares the host's memory), nothing is ever told.
    MemoryWatch(std::function<Bytes()> free_bytes, Log log);

    // Whether there is something to look at. Asked after each pass.
    bool is_news(const TierOfPass& tier);

    // Asks the device, and tells.
    void look(const MemoryClaims& claims);

private:
    void tell(const MemoryClaims& claims, std::optional<Bytes> outside);
    void warn(const MemoryClaims& claims, Bytes outside);

    std::function<Bytes()> free_bytes_;
    Log log_;
    Bytes before_ = 0;
    std::map<TierKey, int> passes_;  // of each tier that has run
    std::uint64_t n_tokens_ = 0;
    std::uint64_t n_tokens_seen_ = 0;  // when the device was last asked
    int n_passes_ = 0;
    bool due_ = false;
    bool told_ = false;
    bool warned_ = false;
};

}  // namespace pshard
