// libcudart.so.13: kernels, which are registered and launched, and do nothing.
#include "fakecuda/runtime.h"

namespace pshard::fakecuda {

namespace {

constexpr int kThreadsOfBlock = 1024;
constexpr int kRegisters = 64;
constexpr int kBlocksOfMultiprocessor = 2;

int launch(const char* name, Kernel kernel, Stream stream, void** arguments) {
    Runtime& runtime = Runtime::of_process();
    return runtime.call(name, Runtime::Needs::Context, [&] {
        // A handle of a kernel is its Function.
        auto* function = const_cast<Function*>(static_cast<const Function*>(kernel));
        return function == nullptr ? kInvalidHandle : runtime.launch(*function, stream, arguments);
    });
}

}  // namespace

}  // namespace pshard::fakecuda

using namespace pshard::fakecuda;  // NOLINT(google-build-using-namespace): definitions of a C
                                   // interface

void** __cudaRegisterFatBinary(void*) {
    static void* handle = nullptr;
    return &handle;
}

void __cudaRegisterFatBinaryEnd(void**) {}

void __cudaUnregisterFatBinary(void**) {}

void __cudaRegisterFunction(void**,
                            const char* host_function,
                            char*,
                            const char* device_name,
                            int,
                            void*,
                            void*,
                            void*,
                            void*,
                            int*) {
    Runtime& runtime = Runtime::of_process();
    const std::lock_guard lock(runtime.mutex);
    runtime.register_function(host_function, device_name);
}

void __cudaRegisterVar(void**, char*, char*, const char*, int, std::size_t, int, int) {}

int __cudaGetKernel(Kernel* kernel, const void* function) {
    Runtime& runtime = Runtime::of_process();
    return runtime.call("__cudaGetKernel", Runtime::Needs::Nothing, [&] {
        *kernel = runtime.function(function);
        return *kernel == nullptr ? kInvalidHandle : kSuccess;
    });
}

unsigned __cudaPushCallConfiguration(Dim3 grid,
                                     Dim3 block,
                                     std::size_t shared_bytes,
                                     Stream stream) {
    Runtime::caller().pushed = {grid, block, shared_bytes, stream, nullptr, 0};
    return 0;
}

int __cudaPopCallConfiguration(Dim3* grid, Dim3* block, std::size_t* shared_bytes, void* stream) {
    const LaunchConfig& pushed = Runtime::caller().pushed;
    *grid = pushed.grid;
    *block = pushed.block;
    *shared_bytes = pushed.shared_bytes;
    *static_cast<Stream*>(stream) = pushed.stream;
    return kSuccess;
}

int __cudaLaunchKernel(Kernel kernel, Dim3, Dim3, void** arguments, std::size_t, Stream stream) {
    return launch("__cudaLaunchKernel", kernel, stream, arguments);
}

int cudaLaunchKernelExC(const LaunchConfig* config, const void* function, void** arguments) {
    Kernel kernel = nullptr;
    __cudaGetKernel(&kernel, function);
    return launch("cudaLaunchKernelExC", kernel, config->stream, arguments);
}

int cudaLaunchCooperativeKernel(
    const void* function, Dim3, Dim3, void** arguments, std::size_t, Stream stream) {
    Kernel kernel = nullptr;
    __cudaGetKernel(&kernel, function);
    return launch("cudaLaunchCooperativeKernel", kernel, stream, arguments);
}

int cudaFuncGetAttributes(FunctionAttributes* attributes, const void*) {
    const int capability = Runtime::of_process().settings.compute_capability;
    *attributes = {};
    attributes->threads_of_block = kThreadsOfBlock;
    attributes->n_registers = kRegisters;
    attributes->ptx_version = capability;
    attributes->binary_version = capability;
    return kSuccess;
}

int cudaFuncSetAttribute(const void*, int, int) { return kSuccess; }

int cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(
    int* n_blocks, const void*, int, std::size_t, unsigned) {
    *n_blocks = kBlocksOfMultiprocessor;
    return kSuccess;
}
