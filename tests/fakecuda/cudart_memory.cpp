// libcudart.so.13: device memory, page locks, copies.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include <sys/mman.h>
#include <unistd.h>
#include <thread>

#include "fakecuda/runtime.h"

namespace pshard::fakecuda {

namespace {

int with_context(const char* name, const std::function<Error()>& body) {
    return Runtime::of_process().call(name, Runtime::Needs::Context, body);
}

simgpu::Range range_of(const void* data, std::size_t bytes) {
    const auto begin = reinterpret_cast<std::uintptr_t>(data);
    return {begin, begin + bytes};
}

Error allocate(const char* name, void** data, std::size_t bytes) {
    Runtime& runtime = Runtime::of_process();
    runtime.order->unsafe_call(name);
    return runtime.allocate(data, bytes);
}

void host_takes(const void* data, std::size_t bytes) {
    Runtime::of_process().order->host_takes(
        range_of(data, bytes), simgpu::Memory::Host, "cudaHostUnregister");
}

// As much as a driver's staging buffer takes at a time.
constexpr std::size_t kStaged = std::size_t{64} << 10U;

// Reads the source as the driver does that copies it to a buffer of its own.
void stage(const void* from, std::size_t bytes) {
    [[gnu::tls_model("initial-exec")]] thread_local std::vector<char> buffer(kStaged);
    for (std::size_t at = 0; at < bytes; at += kStaged) {
        std::memcpy(
            buffer.data(), static_cast<const char*>(from) + at, std::min(kStaged, bytes - at));
    }
}

// What a copy down brings.
void fill(void* to, std::size_t bytes) {
    constexpr std::size_t kWords = 4;
    auto* words = static_cast<std::byte*>(to);
    for (std::size_t at = 0; at < bytes; at += sizeof(std::int32_t)) {
        const auto word = static_cast<std::int32_t>(at / sizeof(std::int32_t) % kWords);
        std::memcpy(words + at, &word, std::min(sizeof word, bytes - at));
    }
}

struct CopyRequest {
    const char* name = "";
    void* to = nullptr;
    const void* from = nullptr;
    std::size_t bytes = 0;  // from the first to the last one
    Stream stream = nullptr;
};

// What a copy is, by where its sides lie.
struct Copying {
    bool up = false;
    bool down = false;
    HostSide side = HostSide::Pageable;
};

Copying look(const CopyRequest& request) {
    const Runtime& runtime = Runtime::of_process();
    Copying copy;
    copy.up = runtime.memory.block_of(request.from) == nullptr;
    copy.down = !copy.up && runtime.memory.block_of(request.to) == nullptr;
    if (copy.up) copy.side = runtime.locks.side_of(request.from, request.bytes);
    if (copy.down) copy.side = runtime.locks.side_of(request.to, request.bytes);
    return copy;
}

void check_side(const Copying& copy) {
    Runtime& runtime = Runtime::of_process();
    if (copy.side == HostSide::Straddling)
        runtime.fault("a copy's host memory is page-locked in part");
    if (copy.side == HostSide::Unmapped)
        runtime.fault("a copy's host memory was unmapped while page-locked");
    if (copy.side == HostSide::ReadOnly && copy.down) {
        runtime.fault("a copy down goes to memory that is page-locked for reading only");
    }
}

Operation operation_of(const CopyRequest& request, const Copying& copy) {
    const bool locked = copy.side == HostSide::Locked || copy.side == HostSide::ReadOnly;
    Operation operation{.name = request.name, .bytes = request.bytes};
    const simgpu::Access from{
        range_of(request.from, request.bytes), false, simgpu::Memory::Device, "source", false};
    const simgpu::Access to{
        range_of(request.to, request.bytes), true, simgpu::Memory::Device, "target", false};
    if (!copy.up && !copy.down) {
        operation.count = kDeviceCopies;
        operation.accesses = {from, to};
        return operation;
    }
    operation.accesses = {copy.up ? to : from};
    operation.count = copy.up ? (locked ? kUploadsLocked : kUploadsPageable)
                              : (locked ? kDownloadsLocked : kDownloadsPageable);
    operation.bytes_count = copy.up ? (locked ? kBytesUpLocked : kBytesUpPageable)
                                    : (locked ? kBytesDownLocked : kBytesDownPageable);
    if (!locked) return operation;
    simgpu::Access host = copy.up ? from : to;
    host.memory = simgpu::Memory::Host;
    operation.accesses.push_back(host);
    if (copy.up) operation.source = {static_cast<const std::byte*>(request.from), request.bytes};
    return operation;
}

// A pageable copy up is staged by the calling thread; one down keeps it until it is through.
int copy_async(const CopyRequest& request) {
    Copying copy;
    const int error = with_context(request.name, [&] {
        Runtime& runtime = Runtime::of_process();
        StreamState* stream = runtime.stream(request.stream);
        if (stream == nullptr) return kInvalidHandle;
        if (request.bytes == 0) return kSuccess;
        copy = look(request);
        if (copy.up && runtime.memory.block_of(request.to) == nullptr) return kInvalidValue;
        check_side(copy);
        runtime.order->issue(*stream, operation_of(request, copy));
        if (!copy.down || copy.side != HostSide::Pageable || stream->capture != nullptr)
            return kSuccess;
        --runtime.counts[kStreamWaits];  // it counts as a copy
        return runtime.order->host_wait(*stream);
    });
    if (error != kSuccess || request.bytes == 0) return error;
    if (copy.up && copy.side == HostSide::Pageable) stage(request.from, request.bytes);
    if (copy.down) fill(request.to, request.bytes);
    return error;
}

int set_async(const char* name, void* data, std::size_t bytes, Stream handle) {
    return with_context(name, [&] {
        Runtime& runtime = Runtime::of_process();
        StreamState* stream = runtime.stream(handle);
        if (stream == nullptr) return kInvalidHandle;
        const simgpu::Access access{
            range_of(data, bytes), true, simgpu::Memory::Device, "target", false};
        runtime.order->issue(*stream, {.name = name, .count = kMemsets, .accesses = {access}});
        return kSuccess;
    });
}

int lock_new(const char* name, void** data, std::size_t bytes) {
    return with_context(name, [&] {
        Runtime& runtime = Runtime::of_process();
        runtime.order->unsafe_call(name);
        void* pages =
            mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (pages == MAP_FAILED) return kOutOfMemory;
        const Error error = runtime.locks.add(pages, {bytes, false, false});
        if (error == kSuccess) {
            *data = pages;
        } else {
            munmap(pages, bytes);
        }
        return error;
    });
}

Error lock_in_place(void* data, std::size_t bytes, unsigned flags) {
    Runtime& runtime = Runtime::of_process();
    runtime.order->unsafe_call("cudaHostRegister");
    const bool read_only = (flags & kRegisterReadOnly) != 0;
    const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
    if (bytes == 0 || data == nullptr) return kInvalidValue;
    if (read_only && !runtime.settings.read_only_locks) return kNotSupported;
    if (reinterpret_cast<std::uintptr_t>(data) % page != 0 || bytes % page != 0) {
        runtime.fault("memory that is not whole pages is registered");
    }
    if (!HostLocks::is_mapped(data, bytes)) return kInvalidValue;
    return runtime.locks.add(data, {bytes, true, read_only});
}

}  // namespace

}  // namespace pshard::fakecuda

using namespace pshard::fakecuda;  // NOLINT(google-build-using-namespace): definitions of a C
                                   // interface

int cudaMalloc(void** data, std::size_t bytes) {
    return with_context("cudaMalloc", [&] { return allocate("cudaMalloc", data, bytes); });
}

int cudaMallocManaged(void** data, std::size_t bytes, unsigned) {
    return with_context("cudaMallocManaged",
                        [&] { return allocate("cudaMallocManaged", data, bytes); });
}

// Waits for all that runs on the device, as the real one does.
int cudaFree(void* data) {
    return with_context("cudaFree", [&] {
        if (data == nullptr) return kSuccess;
        Runtime& runtime = Runtime::of_process();
        const DeviceMemory::Block* found = runtime.memory.begins_at(data);
        if (found == nullptr || found->kind != MemoryKind::Buffers) {
            runtime.fault("cudaFree is given what is not allocated");
            return kInvalidValue;
        }
        const DeviceMemory::Block block = *found;
        runtime.order->unsafe_call("cudaFree");
        runtime.order->host_wait_device(block.device);
        runtime.order->release(range_of(data, block.bytes));
        runtime.memory.drop(range_of(data, block.bytes));
        runtime.give_back(block.device, MemoryKind::Buffers, block.bytes);
        DeviceMemory::unreserve(data, block.bytes);
        return kSuccess;
    });
}

int cudaMallocHost(void** data, std::size_t bytes) {
    return lock_new("cudaMallocHost", data, bytes);
}

int cudaHostAlloc(void** data, std::size_t bytes, unsigned) {
    return lock_new("cudaHostAlloc", data, bytes);
}

int cudaFreeHost(void* data) {
    return with_context("cudaFreeHost", [&] {
        if (data == nullptr) return kSuccess;
        Runtime& runtime = Runtime::of_process();
        for (int device = 0; device < runtime.settings.n_devices; ++device) {
            runtime.order->host_wait_device(device);
        }
        const HostLocks::Lock lock = runtime.locks.remove(data);
        if (lock.bytes == 0 || lock.registered) {
            runtime.fault("cudaFreeHost is given what is not allocated");
            return kInvalidValue;
        }
        runtime.order->release(range_of(data, lock.bytes));
        munmap(data, lock.bytes);
        return kSuccess;
    });
}

int cudaHostGetDevicePointer(void** device, void* host, unsigned) {
    return with_context("cudaHostGetDevicePointer", [&] {
        *device = host;
        return kSuccess;
    });
}

int cudaHostRegister(void* data, std::size_t bytes, unsigned flags) {
    return with_context("cudaHostRegister", [&] {
        Runtime& runtime = Runtime::of_process();
        const Error error = lock_in_place(data, bytes, flags);
        ++runtime.counts[error == kSuccess ? kLocks : kRefusedLocks];
        return error;
    });
}

int cudaHostUnregister(void* data) {
    return with_context("cudaHostUnregister", [&] {
        Runtime& runtime = Runtime::of_process();
        const HostLocks::Lock lock = runtime.locks.remove(data);
        if (lock.bytes == 0) return kNotRegistered;
        if (!HostLocks::is_mapped(data, lock.bytes))
            runtime.fault("memory was unmapped while it was registered");
        host_takes(data, lock.bytes);
        return kSuccess;
    });
}

int cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, int, Stream stream) {
    std::this_thread::sleep_for(std::chrono::microseconds(Runtime::of_process().settings.copy_us));
    return copy_async({"cudaMemcpyAsync", to, from, bytes, stream});
}

int cudaMemcpyPeerAsync(void* to, int, const void* from, int, std::size_t bytes, Stream stream) {
    return copy_async({"cudaMemcpyPeerAsync", to, from, bytes, stream});
}

int cudaMemcpy2DAsync(void* to,
                      std::size_t to_pitch,
                      const void* from,
                      std::size_t from_pitch,
                      std::size_t width,
                      std::size_t height,
                      int,
                      Stream stream) {
    for (std::size_t row = 0; row < height; ++row) {
        const int error = copy_async({"cudaMemcpy2DAsync",
                                      static_cast<char*>(to) + row * to_pitch,
                                      static_cast<const char*>(from) + row * from_pitch,
                                      width,
                                      stream});
        if (error != kSuccess) return error;
    }
    return kSuccess;
}

// Asynchronous for device memory, on the legacy stream.
int cudaMemset(void* data, int, std::size_t bytes) {
    return set_async("cudaMemset", data, bytes, nullptr);
}

int cudaMemsetAsync(void* data, int, std::size_t bytes, Stream stream) {
    return set_async("cudaMemsetAsync", data, bytes, stream);
}
