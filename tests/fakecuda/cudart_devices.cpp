// libcudart.so.13: devices and errors.
#include <cstdio>
#include <cstring>

#include "fakecuda/runtime.h"

namespace pshard::fakecuda {

namespace {

constexpr int kAttributeCooperativeLaunch = 95;
constexpr int kWarp = 32;
constexpr int kMultiprocessors = 46;
constexpr std::size_t kSharedBytes = 48 << 10U;
constexpr std::size_t kSharedBytesByChoice = 99 << 10U;

int inquire(const char* name, const std::function<Error()>& body) {
    return Runtime::of_process().call(name, Runtime::Needs::Nothing, body);
}

bool is_device(int device) {
    return device >= 0 && device < Runtime::of_process().settings.n_devices;
}

void describe(DeviceProperties& properties, int device) {
    const Settings& settings = Runtime::of_process().settings;
    properties = {};
    std::snprintf(properties.name, sizeof properties.name, "Fake %d", device);
    properties.total_bytes = settings.memory_bytes;
    properties.shared_bytes_of_block = kSharedBytes;
    properties.shared_bytes_of_block_by_choice = kSharedBytesByChoice;
    properties.registers_of_block = 64 << 10;
    properties.warp_size = kWarp;
    properties.threads_of_block = 1024;
    properties.major = settings.compute_capability / 10;
    properties.minor = settings.compute_capability % 10;
    properties.n_multiprocessors = kMultiprocessors;
    properties.cooperative_launch = 1;
}

const char* sentence(int error) {
    switch (error) {
        case kSuccess:
            return "no error";
        case kOutOfMemory:
            return "out of memory";
        case kUnloading:
            return "driver shutting down";
        case kInvalidDevice:
            return "invalid device ordinal";
        case kInvalidHandle:
            return "invalid resource handle";
        case kAlreadyRegistered:
            return "part or all of the requested memory range is already mapped";
        case kNotRegistered:
            return "pointer does not correspond to a registered memory region";
        case kNotSupported:
            return "operation not supported";
        default:
            return "an error of the fake device";
    }
}

}  // namespace

}  // namespace pshard::fakecuda

using namespace pshard::fakecuda;  // NOLINT(google-build-using-namespace): definitions of a C
                                   // interface

int cudaGetDeviceCount(int* count) {
    return inquire("cudaGetDeviceCount", [&] {
        *count = Runtime::of_process().settings.n_devices;
        return kSuccess;
    });
}

int cudaGetDevice(int* device) {
    return inquire("cudaGetDevice", [&] {
        *device = Runtime::caller().device;
        return kSuccess;
    });
}

// Selecting a device makes its context since CUDA 12.
int cudaSetDevice(int device) {
    if (is_device(device)) Runtime::caller().device = device;
    return Runtime::of_process().call("cudaSetDevice", Runtime::Needs::Context, [&] {
        return is_device(device) ? kSuccess : kInvalidDevice;
    });
}

int cudaSetDeviceFlags(unsigned) {
    return inquire("cudaSetDeviceFlags", [] { return kSuccess; });
}

int cudaDeviceSynchronize() {
    Runtime& runtime = Runtime::of_process();
    return runtime.call("cudaDeviceSynchronize", Runtime::Needs::Context, [&] {
        runtime.order->unsafe_call("cudaDeviceSynchronize");
        ++runtime.counts[kStreamWaits];
        runtime.order->host_wait_device(Runtime::caller().device);
        return kSuccess;
    });
}

int cudaDeviceGetAttribute(int* value, int attribute, int device) {
    return inquire("cudaDeviceGetAttribute", [&] {
        *value = attribute == kAttributeCooperativeLaunch ? 1 : 0;
        return is_device(device) ? kSuccess : kInvalidDevice;
    });
}

int cudaDeviceGetPCIBusId(char* text, int length, int device) {
    return inquire("cudaDeviceGetPCIBusId", [&] {
        std::snprintf(text, static_cast<std::size_t>(length), "0000:%02x:00.0", device + 1);
        return is_device(device) ? kSuccess : kInvalidDevice;
    });
}

int cudaGetDeviceProperties(DeviceProperties* properties, int device) {
    return inquire("cudaGetDeviceProperties", [&] {
        if (!is_device(device)) return kInvalidDevice;
        describe(*properties, device);
        return kSuccess;
    });
}

int cudaDeviceCanAccessPeer(int* can, int, int) {
    return inquire("cudaDeviceCanAccessPeer", [&] {
        *can = 0;
        return kSuccess;
    });
}

int cudaDeviceEnablePeerAccess(int, unsigned) {
    return inquire("cudaDeviceEnablePeerAccess", [] { return kNotSupported; });
}

int cudaMemGetInfo(std::size_t* free, std::size_t* total) {
    Runtime& runtime = Runtime::of_process();
    return runtime.call("cudaMemGetInfo", Runtime::Needs::Context, [&] {
        *free = runtime.memory.free_bytes(Runtime::caller().device);
        *total = runtime.memory.total_bytes();
        return kSuccess;
    });
}

int cudaGetLastError() {
    const int error = Runtime::caller().last_error;
    Runtime::caller().last_error = kSuccess;
    return error;
}

int cudaPeekAtLastError() { return Runtime::caller().last_error; }

const char* cudaGetErrorString(int error) { return sentence(error); }
