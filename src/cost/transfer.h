// The seconds of copies over the link, and the bytes of routed experts that a batch needs.
//
// Rates are in bytes per second. The comment at a field names the fallback ("else ...") for a
// profile that lacks the figure.
//
// Source: [S3], [S6], [A6], [A19], [A31].
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/units.h"
#include "inventory/inventory.h"
#include "machine/machine_profile.h"

namespace pshard {

// What a simulator must know of the link.
struct LinkRates {
    double h2d_bytes_per_second = 0;  // nothing else runs; page-locked, else pageable; at most DRAM
    double h2d_under_cpu_load = 0;    // while the CPU computes; else min(h2d, dram/2)
    double h2d_under_gpu_load = 0;    // while the GPU computes; else h2d
    // Each direction while the other one copies too. The profile knows the sum of both, so both are
    // slowed down by the same factor.
    double h2d_duplex = 0;            // else h2d
    double d2h_duplex = 0;            // else d2h
    double h2d_pageable = 0;          // from pageable memory; else 0.3 * h2d [A19]
    double d2h_bytes_per_second = 0;  // else h2d
    Seconds setup_seconds = 0;        // per copy; else 3.1 us [S3]
    Seconds switch_seconds = 0;       // per hand-over between engines; else 24 us
    std::vector<SlicePoint> sliced;   // ascending; else 23.3..30 GB/s scaled to h2d/45
    // Copies in one piece, by ascending size. Empty: only bytes and setup count.
    std::vector<SlicePoint> locked;    // up, from mappings locked in place, else pinned memory
    std::vector<SlicePoint> pageable;  // up, from pageable memory
    std::vector<SlicePoint> down;      // to page-locked memory, else to any
    bool estimated = false;            // whether some figure above is a fallback

    bool operator==(const LinkRates&) const = default;
};

// The rates of the profile's link. nullopt: the profile has none, since there was no GPU when the
// CPU file was made. A device without page-locked memory copies from pageable memory alone.
[[nodiscard]] std::optional<LinkRates> link_rates(const MachineProfile& profile);

// What the profile lacks to price plans, in words: "no CPU profile". Empty if it lacks nothing.
[[nodiscard]] std::string missing_prices(const MachineProfile& profile);

enum class HostMemory : std::uint8_t { PageLocked, Pageable };

// What runs while a copy does, and takes some of the rate of the link or of a memory.
enum class Beside : std::uint8_t { Nothing, Cpu, Gpu, OtherWay };

struct Copy {
    Bytes bytes = 0;
    std::uint64_t pieces = 1;  // if above 1, the copy gathers slices of bytes/pieces each
    HostMemory memory = HostMemory::PageLocked;
    Beside beside = Beside::Nothing;
};

// The seconds of a copy: bytes/rate + pieces * setup, or what copies of that size took if that is
// more (a curve's rates have each copy's setup in them). 0 for no bytes.
[[nodiscard]] Seconds upload_seconds(const Copy& copy, const LinkRates& link);
[[nodiscard]] Seconds download_seconds(const Copy& copy, const LinkRates& link);

// The bytes of a weight that a batch needs on the GPU, and the number of runs that they lie in.
struct WeightTraffic {
    Bytes bytes = 0;
    std::uint64_t pieces = 0;

    bool operator==(const WeightTraffic&) const = default;
};

// The whole weight in one piece: a prefetch that cannot know the routes must copy all of it.
[[nodiscard]] WeightTraffic whole_traffic(const Weight& weight);

// Only the experts that `n_tokens` tokens are expected to touch, for a copy that knows the routes:
//   min(all, distinct * expert + runs * min(expert, 512)),  runs = distinct*(E-distinct+1)/E
// A weight that is not routed travels whole.
[[nodiscard]] WeightTraffic sliced_traffic(const Weight& weight,
                                           int n_experts_used,
                                           std::uint32_t n_tokens);

}  // namespace pshard
