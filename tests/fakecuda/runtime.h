// A CUDA runtime that computes nothing and keeps the rules.
//
// libcudart.so.13, libcublas.so.13 and libcuda.so.1 of this folder take the places of NVIDIA's
// below the prebuilt ggml-cuda of npm: all of its host code runs, and what it asks of the driver is
// held against the driver's rules.
//
//   libggml-cuda.so (npm's)
//      |  cudaMalloc, cudaMemcpyAsync, kernels ...      api.h: our own declarations
//      v
//   Runtime       one for the process, one lock: the current device of each thread, contexts, calls
//   that fail
//      +-- DeviceMemory   bytes of each card by kind, with a limit and a peak; addresses that
//      nobody may touch
//      +-- HostLocks      page-locked memory: overlaps, limits, refusals
//      +-- Order          streams, events, captures: vector clocks, and the checker of tests/simgpu
//      +-- signatures     which arguments of a kernel are pointers
//
// Kernels are launched and return; of what they touch only the address in each pointer argument is
// known, as one byte. Copies up read their pageable source, as the real ones do; copies down bring
// the numbers 0 to 3 by turns, so that ids of experts that are read back are such. A call that
// breaks a rule is a fault: a line on stderr and in the report. What each setting does: settings.h;
// what is counted: counters.h.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "fakecuda/api.h"
#include "fakecuda/counters.h"
#include "fakecuda/device_memory.h"
#include "fakecuda/host_locks.h"
#include "fakecuda/order.h"
#include "fakecuda/settings.h"
#include "fakecuda/signatures.h"

namespace pshard::fakecuda {

// A kernel that the backend has registered.
struct Function {
    const char* mangled = nullptr;
    std::unique_ptr<Signature> signature{};  // made at the first launch
};

// The thread that calls.
struct Caller {
    int number = 0;  // from 1, in the order in which threads came
    int device = 0;
    int last_error = kSuccess;
    LaunchConfig pushed{};
};

class Runtime {
public:
    static Runtime& of_process();
    static Caller& caller();

    // As if the process had just begun, for tests.
    void begin_again(const Settings& settings);

    enum class Needs { Nothing, Context };

    // Every call of the interface: refuses it after the exit, lets it fail where the settings say
    // so, makes the context that it needs on the caller's device, and keeps its error for
    // cudaGetLastError.
    int call(const char* name, Needs needs, const std::function<Error()>& body);

    // Pieces for the bodies, which hold the lock.
    StreamState* stream(Stream handle);
    void fault(std::string text);
    Error allocate(void** data, std::size_t bytes);
    Error take(int device, MemoryKind kind, std::size_t bytes);

    void give_back(int device, MemoryKind kind, std::size_t bytes) {
        memory.give_back(device, kind, bytes);
    }

    Function* function(const void* host_function);
    void register_function(const void* host_function, const char* mangled);
    Error launch(Function& function, Stream stream, void* const* arguments);
    // A kernel by its pointers, for libraries that have their own.
    Error launch(std::string_view name,
                 Stream stream,
                 const std::vector<const void*>& reads,
                 const std::vector<const void*>& writes);

    // The exit of the process: later calls are refused.
    void unload();
    [[nodiscard]] std::string report() const;

    [[nodiscard]] const std::vector<std::string>& faults() const { return faults_; }

    Settings settings{};
    Counts counts{};
    DeviceMemory memory{};
    HostLocks locks{};
    std::unique_ptr<Order> order{};
    std::mutex mutex{};

private:
    Runtime();
    Error make_context(const char* name);
    void add_pointer(std::vector<simgpu::Access>& accesses,
                     const void* data,
                     bool writes,
                     int device);
    void drain_faults();
    void write_report() const;

    std::vector<std::string> contexts_{};  // by device: who made it; empty: there is none
    std::map<std::string, long> calls_{};  // of the names that shall fail
    std::map<const void*, Function> functions_{};
    std::vector<std::string> faults_{};  // the first ones
    bool unloaded_ = false;
};

}  // namespace pshard::fakecuda
