// WHERE a model can go: one machine's CPU, GPU and the link between them, as measured.
//
// A plain value. An unknown figure is std::nullopt, never 0. The units are those of the published
// files, so that a text round trip is exact: GB/s and GFLOP/s are 1e9, MiB is 2^20, `_us` is
// microseconds. machine/profile_text.h has the text form; src/cost/ knows what the figures mean for
// an op or a copy.
//
// Either side may be missing (one profile file only):
//   no gpu   nothing can be priced on the GPU, so the caller assumes a machine
//   no cpu   the link is unknown too, so only what is whole on the GPU can be priced
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pshard {

// One measured op: a row of cpu_profile.txt or gpu_profile.txt [S2].
struct OpRow {
    std::string op{};      // "MUL_MAT", "MUL_MAT_ID", "FLASH_ATTN_<config>", or a ggml op name
    std::string quant{};   // ggml type name of the weight; "f16" for attention
    double intensity = 0;  // FLOP/byte, as the file says: its MUL_MAT_ID bytes are wrong for
                           // batches above 1, so src/cost/ takes it for attention only
    double gb_per_s = 0;   // achieved bytes/time, from the same wrong bytes
    double gflops = 0;     // GFLOP/s, above 0: the reader drops rows of skipped benchmarks
    double ridge = 0;      // FLOP/byte
    std::optional<double> gflops_under_copies{};  // while the link copies; CPU rows only
    std::optional<double> link_gb_per_s{};        // rate of the link meanwhile; CPU rows only
    std::int64_t n = 0;                           // N, K: the weight is [K, N]
    std::int64_t k = 0;
    std::int64_t batch = 0;     // B: rows; 0 for attention
    std::int64_t n_tokens = 0;  // attention: rows. MUL_MAT_ID: experts used
    std::int64_t ctx_len = 0;   // attention: cells. MUL_MAT_ID: experts in all
    std::int64_t n_heads = 0;   // attention: KV heads
    std::int64_t head_dim = 0;
    std::int64_t n_elements = 0;  // element ops
    // Distance of the quartiles over the median; set only if it exceeds the profilers' limit of 10.
    std::optional<double> noisy_percent{};

    bool operator==(const OpRow&) const = default;
};

struct CpuProfile {
    int n_threads = 0;                                // threads of the rows and of the bandwidth
    std::optional<double> dram_gb_per_s{};            // rate at which all threads read together
    std::optional<double> copy_efficiency_percent{};  // GFLOP/s under copies / alone, all rows
    std::optional<double> vector_gflops{};  // ops that are no matmul: norms, scans, softmax
    std::optional<double> launch_us{};      // per node, after which the threads meet at a barrier
    std::optional<double> graph_us{};       // per graph computed by itself, which wakes the threads
    std::vector<OpRow> rows{};

    bool operator==(const CpuProfile&) const = default;
};

// Device memory that a run takes outside our allocations if its largest batch is `n_ubatch`.
struct OverheadPoint {
    std::int64_t n_ubatch = 0;  // tokens
    double mib = 0;

    bool operator==(const OverheadPoint&) const = default;
};

struct GpuProfile {
    std::string backend{};  // "CUDA0"
    std::optional<double> memory_gb_per_s{};
    std::optional<double> peak_gflops{};
    std::optional<double> vector_gflops{};        // as for the CPU
    std::optional<double> memory_mib{};           // device memory that a process can see
    std::optional<double> overhead_mib{};         // context and workspaces outside our allocations
    std::optional<double> overhead_unseen_mib{};  // part of it, taken before a process can ask
    std::optional<double> launch_us{};            // per kernel, in a full queue
    std::optional<double> scan_step_us{};         // per token and layer of a recurrence (delta net)
    std::optional<double> subgraph_us{};          // per graph of its own in a queue of many
    // launch_us and subgraph_us with graph capture off; absent if the device captures nothing.
    std::optional<double> launch_uncaptured_us{};
    std::optional<double> subgraph_uncaptured_us{};
    std::optional<double> copy_efficiency_percent{};  // GFLOP/s while the link copies / alone
    std::vector<OverheadPoint> overhead{};            // ascending n_ubatch
    std::vector<OpRow> rows{};

    bool operator==(const GpuProfile&) const = default;
};

// The rate of copies of gathered slices (routed experts) at one slice size.
struct SlicePoint {
    double slice_mb = 0;  // 1e6 bytes
    double gb_per_s = 0;

    bool operator==(const SlicePoint&) const = default;
};

enum class CopySource {
    Pinned,
    Registered,
    Pageable
};  // host memory that the device's driver gave, a mapping page-locked in place, any other

// The rates of copies of one size between host and device, each way alone. The copies are queued
// one after the other, so the rates hold what a copy costs besides its bytes.
struct CopyPoint {
    CopySource source = CopySource::Pinned;
    double mb = 0;  // 1e6 bytes
    double h2d_gb_per_s = 0;
    std::optional<double> d2h_gb_per_s{};  // absent: the device may not write to that memory

    bool operator==(const CopyPoint&) const = default;
};

struct LinkProfile {
    std::optional<double> standalone_gb_per_s{};   // from page-locked memory, nothing else running
    std::optional<double> d2h_gb_per_s{};          // device to host, if measured apart
    std::optional<double> concurrent_gb_per_s{};   // while the CPU computes
    bool concurrent_measured = false;              // false: by the published formula (weakness 8)
    std::optional<double> pageable_gb_per_s{};     // from memory that is not page-locked
    std::vector<SlicePoint> sliced{};              // ascending slice_mb; empty: unknown
    std::optional<double> page_lock_ceiling_gb{};  // 1e9 bytes
    std::optional<double> copy_setup_us{};         // per copy
    std::optional<double> engine_switch_us{};      // per hand-over: kernel -> copy -> host, or back
    std::optional<double> registered_gb_per_s{};   // from a mapping that was page-locked in place
    std::optional<double> duplex_gb_per_s{};       // both directions at once, their sum
    std::optional<double> under_gpu_gb_per_s{};    // host to device while the GPU computes
    std::optional<double> register_s_per_gib{};    // page-locking a mapping in place
    std::optional<double> event_us{};              // recording an event and waiting for it
    std::vector<CopyPoint> copies{};               // by source, then ascending mb

    bool operator==(const LinkProfile&) const = default;
};

// How far the figures can be trusted, the most trusted first.
enum class Provenance {
    Measured,  // by the profilers
    Derived,   // computed from stated rooflines and efficiencies
    Quick,     // the CPU in two seconds (probe/stand_in_profile.h)
};

struct MachineProfile {
    std::string cpu_name{};  // empty: unknown; the same for the next three
    std::string gpu_name{};
    std::string os_name{};
    std::string source{};  // where and when measured, in words
    std::string gpu_driver{};
    std::string link_name{};                  // "PCIe 5.0 x16": how the slot ran when measured
    std::string ggml_version{};               // version of the backends that were measured
    std::string date{};                       // ISO 8601, UTC
    std::optional<double> cpu_cores{};        // physical
    std::optional<double> host_memory_mib{};  // RAM in all
    Provenance provenance = Provenance::Measured;

    std::optional<CpuProfile> cpu{};
    std::optional<GpuProfile> gpu{};
    LinkProfile link{};

    // What the reader had to decide ("no rows for 6 threads: took those for 8"), for the user to
    // read. to_text does not write it.
    std::vector<std::string> notes{};

    bool operator==(const MachineProfile&) const = default;
};

}  // namespace pshard
