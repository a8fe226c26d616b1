// What the fake counts. A test takes the counts before and after a step and holds the difference.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace pshard::fakecuda {

enum Count : std::size_t {
    kKernels,          // that ran, those of launched graphs among them
    kLaunches,         // of kernels by the host; one that is captured is one too
    kGraphLaunches,    // of instantiated graphs
    kCaptures,         // that ended in a graph
    kUploadsLocked,    // copies up from page-locked memory
    kUploadsPageable,  // from memory that is not
    kDownloadsLocked,  // copies down into page-locked memory
    kDownloadsPageable,
    kDeviceCopies,
    kBytesUpLocked,
    kBytesUpPageable,
    kBytesDownLocked,
    kBytesDownPageable,
    kMemsets,
    kRecords,      // of events
    kQueueWaits,   // of a stream for an event
    kEventWaits,   // of the host
    kStreamWaits,  // of the host
    kAllocations,  // on a device, of all kinds
    kContexts,
    kLocks,  // registrations of host memory that were granted
    kRefusedLocks,
    kFaults,
    kCounts
};

// As the report and the tables spell them.
inline constexpr std::array<const char*, kCounts> kCountNames = {"kernels",
                                                                 "launches",
                                                                 "graph_launches",
                                                                 "captures",
                                                                 "uploads_locked",
                                                                 "uploads_pageable",
                                                                 "downloads_locked",
                                                                 "downloads_pageable",
                                                                 "device_copies",
                                                                 "bytes_up_locked",
                                                                 "bytes_up_pageable",
                                                                 "bytes_down_locked",
                                                                 "bytes_down_pageable",
                                                                 "memsets",
                                                                 "records",
                                                                 "queue_waits",
                                                                 "event_waits",
                                                                 "stream_waits",
                                                                 "allocations",
                                                                 "contexts",
                                                                 "locks",
                                                                 "refused_locks",
                                                                 "faults"};

using Counts = std::array<std::uint64_t, kCounts>;

}  // namespace pshard::fakecuda

// For programs that load the fake with a backend: dlsym(dlopen("libcudart.so.13", RTLD_NOLOAD),
// ...).
extern "C" {
// Fills in kCounts numbers.
void fakecuda_counts(std::uint64_t* counts);
// Most bytes of a device at one time since the process began or since the last call: all kinds, and
// what of it was buffers, pools, graphs and contexts then. False: there is no such device.
bool fakecuda_peak(int device, std::uint64_t* bytes_of_kinds);
}
