// libcuda.so.1: memory in two steps, which ggml's pools are made of.
#include <map>

#include "fakecuda/runtime.h"

namespace pshard::fakecuda {

namespace {

constexpr std::size_t kGranularity = std::size_t{2} << 20U;
constexpr int kAttributeVirtualMemory = 102;

// Bytes of a card that were created; given back once released and mapped nowhere.
struct Physical {
    int device = 0;
    std::size_t bytes = 0;
};

std::map<unsigned long long, Physical>& created() {
    static auto* all = new std::map<unsigned long long, Physical>;
    return *all;
}

int driver_call(const char* name, const std::function<Error(Runtime&)>& body) {
    Runtime& runtime = Runtime::of_process();
    return runtime.call(name, Runtime::Needs::Nothing, [&] { return body(runtime); });
}

void unmap(Runtime& runtime, simgpu::Range range) {
    runtime.order->host_takes(range, simgpu::Memory::Device, "cuMemUnmap");
    for (const auto& [begin, block] : runtime.memory.drop(range)) {
        runtime.give_back(block.device, MemoryKind::Pools, block.bytes);
    }
    runtime.order->release(range);
}

}  // namespace

}  // namespace pshard::fakecuda

using namespace pshard::fakecuda;  // NOLINT(google-build-using-namespace): definitions of a C
                                   // interface

int cuDeviceGet(int* device, int ordinal) {
    *device = ordinal;
    return kSuccess;
}

int cuDeviceGetAttribute(int* value, int attribute, int) {
    *value = attribute == kAttributeVirtualMemory ? 1 : 0;
    return kSuccess;
}

int cuGetErrorString(int error, const char** text) {
    *text = cudaGetErrorString(error);
    return kSuccess;
}

int cuMemGetAllocationGranularity(std::size_t* bytes, const AllocationProperties*, int) {
    *bytes = kGranularity;
    return kSuccess;
}

int cuMemCreate(unsigned long long* handle,
                std::size_t bytes,
                const AllocationProperties* properties,
                unsigned long long) {
    return driver_call("cuMemCreate", [&](Runtime& runtime) {
        static unsigned long long last = 0;
        const Error error = runtime.take(properties->device, MemoryKind::Pools, bytes);
        if (error != kSuccess) return error;
        *handle = ++last;
        created()[*handle] = {properties->device, bytes};
        return kSuccess;
    });
}

int cuMemRelease(unsigned long long handle) {
    return driver_call("cuMemRelease", [&](Runtime&) {
        return created().erase(handle) == 1 ? kSuccess : kInvalidHandle;
    });
}

int cuMemAddressReserve(
    std::uintptr_t* address, std::size_t bytes, std::size_t, std::uintptr_t, unsigned long long) {
    return driver_call("cuMemAddressReserve", [&](Runtime&) {
        *address = reinterpret_cast<std::uintptr_t>(DeviceMemory::reserve(bytes));
        return *address == 0 ? kOutOfMemory : kSuccess;
    });
}

int cuMemAddressFree(std::uintptr_t address, std::size_t bytes) {
    return driver_call("cuMemAddressFree", [&](Runtime&) {
        DeviceMemory::unreserve(reinterpret_cast<void*>(address), bytes);
        return kSuccess;
    });
}

int cuMemMap(std::uintptr_t address,
             std::size_t bytes,
             std::size_t,
             unsigned long long handle,
             unsigned long long) {
    return driver_call("cuMemMap", [&](Runtime& runtime) {
        const auto found = created().find(handle);
        if (found == created().end() || found->second.bytes < bytes) return kInvalidValue;
        runtime.memory.put(reinterpret_cast<void*>(address),
                           {bytes, found->second.device, MemoryKind::Pools});
        runtime.order->allocate({address, address + bytes});
        return kSuccess;
    });
}

// Waits for nothing: what still uses the memory is a fault.
int cuMemUnmap(std::uintptr_t address, std::size_t bytes) {
    return driver_call("cuMemUnmap", [&](Runtime& runtime) {
        unmap(runtime, {address, address + bytes});
        return kSuccess;
    });
}

int cuMemSetAccess(std::uintptr_t, std::size_t, const void*, std::size_t) { return kSuccess; }
