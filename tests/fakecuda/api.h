// The part of CUDA 13's interface that the fake has: types, numbers and functions as the real ones
// are laid out (CUDA 13.0's headers), in words of our own, so that no CUDA needs to be installed.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pshard::fakecuda {

// cudaError_t, as far as the fake returns it.
enum Error : int {
    kSuccess = 0,
    kInvalidValue = 1,
    kOutOfMemory = 2,
    kUnloading = 4,
    kInvalidDevice = 101,
    kInvalidHandle = 400,
    kAlreadyRegistered = 712,
    kNotRegistered = 713,
    kNotSupported = 801,
    kCaptureUnsupported = 900,
    kCaptureUnmatched = 903,
    kCaptureUnjoined = 904,
    kCaptureIsolation = 905,
    kCapturedEvent = 907,
    kUpdateFailed = 910
};

constexpr unsigned kRegisterReadOnly = 8;
constexpr unsigned kNonBlocking = 1;

enum CaptureMode : int { kCaptureGlobal = 0, kCaptureOfThread = 1, kCaptureRelaxed = 2 };

enum CopyKind : int { kHostToHost, kHostToDevice, kDeviceToHost, kDeviceToDevice, kByAddress };

// Handles. The runtime's own streams are small numbers: 0 and 1 the legacy one, 2 the thread's.
using Stream = void*;
using Event = void*;
using Graph = void*;
using GraphExec = void*;
using Kernel = const void*;

inline Stream per_thread_stream() { return reinterpret_cast<Stream>(std::uintptr_t{2}); }

struct Dim3 {
    unsigned x = 1;
    unsigned y = 1;
    unsigned z = 1;
};

struct LaunchConfig {
    Dim3 grid;
    Dim3 block;
    std::size_t shared_bytes = 0;
    Stream stream = nullptr;
    void* attributes = nullptr;
    unsigned n_attributes = 0;
};

// cudaDeviceProp: what lies between the fields that ggml reads is zero.
struct DeviceProperties {
    char name[256];
    char uuid_and_luid[32];
    std::size_t total_bytes;
    std::size_t shared_bytes_of_block;
    int registers_of_block;
    int warp_size;
    std::size_t memory_pitch;
    int threads_of_block;
    int largest_block[3];
    int largest_grid[3];
    int clock_and_more[3];
    int major;
    int minor;
    char textures[16];
    int n_multiprocessors;
    int integrated;
    char more[668 - 392];
    int cooperative_launch;
    std::size_t shared_bytes_of_block_by_choice;
    char rest[1008 - 680];
};

static_assert(offsetof(DeviceProperties, total_bytes) == 288);
static_assert(offsetof(DeviceProperties, warp_size) == 308);
static_assert(offsetof(DeviceProperties, major) == 360);
static_assert(offsetof(DeviceProperties, n_multiprocessors) == 384);
static_assert(offsetof(DeviceProperties, cooperative_launch) == 668);
static_assert(offsetof(DeviceProperties, shared_bytes_of_block_by_choice) == 672);
static_assert(sizeof(DeviceProperties) == 1008);

// cudaFuncAttributes.
struct FunctionAttributes {
    std::size_t shared_bytes;
    std::size_t constant_bytes;
    std::size_t local_bytes;
    int threads_of_block;
    int n_registers;
    int ptx_version;
    int binary_version;
    int cached;
    int dynamic_shared_bytes;
    char rest[144 - 48];
};

static_assert(sizeof(FunctionAttributes) == 144);

struct UpdateResult {
    int result;
    void* error_node;
    void* error_from;
};

struct AllocationProperties {
    int type;
    int handle_types;
    int location_type;
    int device;
    void* rest[2];
};

static_assert(sizeof(AllocationProperties) == 32);

}  // namespace pshard::fakecuda

extern "C" {

// libcudart: devices and errors.
int cudaGetDeviceCount(int* count);
int cudaGetDevice(int* device);
int cudaSetDevice(int device);
int cudaSetDeviceFlags(unsigned flags);
int cudaDeviceSynchronize();
int cudaDeviceGetAttribute(int* value, int attribute, int device);
int cudaDeviceGetPCIBusId(char* text, int length, int device);
int cudaGetDeviceProperties(pshard::fakecuda::DeviceProperties* properties, int device);
int cudaDeviceCanAccessPeer(int* can, int device, int peer);
int cudaDeviceEnablePeerAccess(int peer, unsigned flags);
int cudaMemGetInfo(std::size_t* free, std::size_t* total);
int cudaGetLastError();
int cudaPeekAtLastError();
const char* cudaGetErrorString(int error);

// libcudart: memory.
int cudaMalloc(void** data, std::size_t bytes);
int cudaMallocManaged(void** data, std::size_t bytes, unsigned flags);
int cudaFree(void* data);
int cudaMallocHost(void** data, std::size_t bytes);
int cudaHostAlloc(void** data, std::size_t bytes, unsigned flags);
int cudaFreeHost(void* data);
int cudaHostGetDevicePointer(void** device, void* host, unsigned flags);
int cudaHostRegister(void* data, std::size_t bytes, unsigned flags);
int cudaHostUnregister(void* data);
int cudaMemcpyAsync(
    void* to, const void* from, std::size_t bytes, int kind, pshard::fakecuda::Stream stream);
int cudaMemcpyPeerAsync(void* to,
                        int to_device,
                        const void* from,
                        int from_device,
                        std::size_t bytes,
                        pshard::fakecuda::Stream stream);
int cudaMemcpy2DAsync(void* to,
                      std::size_t to_pitch,
                      const void* from,
                      std::size_t from_pitch,
                      std::size_t width,
                      std::size_t height,
                      int kind,
                      pshard::fakecuda::Stream stream);
int cudaMemset(void* data, int value, std::size_t bytes);
int cudaMemsetAsync(void* data, int value, std::size_t bytes, pshard::fakecuda::Stream stream);

// libcudart: streams, events, captures.
int cudaStreamCreateWithFlags(pshard::fakecuda::Stream* stream, unsigned flags);
int cudaStreamDestroy(pshard::fakecuda::Stream stream);
int cudaStreamSynchronize(pshard::fakecuda::Stream stream);
int cudaStreamWaitEvent(pshard::fakecuda::Stream stream,
                        pshard::fakecuda::Event event,
                        unsigned flags);
int cudaStreamBeginCapture(pshard::fakecuda::Stream stream, int mode);
int cudaStreamEndCapture(pshard::fakecuda::Stream stream, pshard::fakecuda::Graph* graph);
int cudaStreamIsCapturing(pshard::fakecuda::Stream stream, int* status);
int cudaEventCreateWithFlags(pshard::fakecuda::Event* event, unsigned flags);
int cudaEventDestroy(pshard::fakecuda::Event event);
int cudaEventRecord(pshard::fakecuda::Event event, pshard::fakecuda::Stream stream);
int cudaEventSynchronize(pshard::fakecuda::Event event);
int cudaGraphInstantiate(pshard::fakecuda::GraphExec* exec,
                         pshard::fakecuda::Graph graph,
                         unsigned long long flags);
int cudaGraphExecUpdate(pshard::fakecuda::GraphExec exec,
                        pshard::fakecuda::Graph graph,
                        pshard::fakecuda::UpdateResult* result);
int cudaGraphLaunch(pshard::fakecuda::GraphExec exec, pshard::fakecuda::Stream stream);
int cudaGraphDestroy(pshard::fakecuda::Graph graph);
int cudaGraphExecDestroy(pshard::fakecuda::GraphExec exec);

// libcudart: kernels. Those with underscores are what the compiler's output calls.
void** __cudaRegisterFatBinary(void* binary);
void __cudaRegisterFatBinaryEnd(void** handle);
void __cudaUnregisterFatBinary(void** handle);
void __cudaRegisterFunction(void** handle,
                            const char* host_function,
                            char* device_function,
                            const char* device_name,
                            int thread_limit,
                            void* tid,
                            void* bid,
                            void* block,
                            void* grid,
                            int* warp_size);
void __cudaRegisterVar(void** handle,
                       char* host,
                       char* address,
                       const char* name,
                       int ext,
                       std::size_t bytes,
                       int constant,
                       int global);
int __cudaGetKernel(pshard::fakecuda::Kernel* kernel, const void* function);
unsigned __cudaPushCallConfiguration(pshard::fakecuda::Dim3 grid,
                                     pshard::fakecuda::Dim3 block,
                                     std::size_t shared_bytes,
                                     pshard::fakecuda::Stream stream);
int __cudaPopCallConfiguration(pshard::fakecuda::Dim3* grid,
                               pshard::fakecuda::Dim3* block,
                               std::size_t* shared_bytes,
                               void* stream);
int __cudaLaunchKernel(pshard::fakecuda::Kernel kernel,
                       pshard::fakecuda::Dim3 grid,
                       pshard::fakecuda::Dim3 block,
                       void** arguments,
                       std::size_t shared_bytes,
                       pshard::fakecuda::Stream stream);
int cudaLaunchKernelExC(const pshard::fakecuda::LaunchConfig* config,
                        const void* function,
                        void** arguments);
int cudaLaunchCooperativeKernel(const void* function,
                                pshard::fakecuda::Dim3 grid,
                                pshard::fakecuda::Dim3 block,
                                void** arguments,
                                std::size_t shared_bytes,
                                pshard::fakecuda::Stream stream);
int cudaFuncGetAttributes(pshard::fakecuda::FunctionAttributes* attributes, const void* function);
int cudaFuncSetAttribute(const void* function, int attribute, int value);
int cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(
    int* n_blocks, const void* function, int n_threads, std::size_t shared_bytes, unsigned flags);

// libcuda: memory in two steps, address space and what lies behind it.
int cuDeviceGet(int* device, int ordinal);
int cuDeviceGetAttribute(int* value, int attribute, int device);
int cuGetErrorString(int error, const char** text);
int cuMemGetAllocationGranularity(std::size_t* bytes,
                                  const pshard::fakecuda::AllocationProperties* properties,
                                  int option);
int cuMemCreate(unsigned long long* handle,
                std::size_t bytes,
                const pshard::fakecuda::AllocationProperties* properties,
                unsigned long long flags);
int cuMemRelease(unsigned long long handle);
int cuMemAddressReserve(std::uintptr_t* address,
                        std::size_t bytes,
                        std::size_t alignment,
                        std::uintptr_t at,
                        unsigned long long flags);
int cuMemAddressFree(std::uintptr_t address, std::size_t bytes);
int cuMemMap(std::uintptr_t address,
             std::size_t bytes,
             std::size_t offset,
             unsigned long long handle,
             unsigned long long flags);
int cuMemUnmap(std::uintptr_t address, std::size_t bytes);
int cuMemSetAccess(std::uintptr_t address,
                   std::size_t bytes,
                   const void* access,
                   std::size_t n_access);
}
