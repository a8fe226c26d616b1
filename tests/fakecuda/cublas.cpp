// libcublas.so.13: products, each one kernel by its pointers.
#include <cstddef>

#include "fakecuda/runtime.h"

namespace pshard::fakecuda {

namespace {

struct Handle {
    Stream stream = nullptr;
};

int product(const char* name, void* handle, const void* a, const void* b, const void* c) {
    Runtime& runtime = Runtime::of_process();
    return runtime.call(name, Runtime::Needs::Context, [&] {
        return runtime.launch(name, static_cast<Handle*>(handle)->stream, {a, b}, {c});
    });
}

}  // namespace

}  // namespace pshard::fakecuda

using namespace pshard::fakecuda;  // NOLINT(google-build-using-namespace): definitions of a C
                                   // interface

extern "C" {

int cublasCreate_v2(void** handle) {
    *handle = new Handle;
    return 0;
}

int cublasDestroy_v2(void* handle) {
    delete static_cast<Handle*>(handle);
    return 0;
}

int cublasSetStream_v2(void* handle, Stream stream) {
    static_cast<Handle*>(handle)->stream = stream;
    return 0;
}

int cublasSetMathMode(void*, int) { return 0; }

int cublasSetWorkspace_v2(void*, void*, std::size_t) { return 0; }

const char* cublasGetStatusString(int) { return "a status of the fake device"; }

int cublasSgemm_v2(void* handle,
                   int,
                   int,
                   int,
                   int,
                   int,
                   const float*,
                   const float* a,
                   int,
                   const float* b,
                   int,
                   const float*,
                   float* c,
                   int) {
    return product("cublasSgemm_v2", handle, a, b, c);
}

int cublasGemmEx(void* handle,
                 int,
                 int,
                 int,
                 int,
                 int,
                 const void*,
                 const void* a,
                 int,
                 int,
                 const void* b,
                 int,
                 int,
                 const void*,
                 void* c,
                 int,
                 int,
                 int,
                 int) {
    return product("cublasGemmEx", handle, a, b, c);
}

int cublasGemmStridedBatchedEx(void* handle,
                               int,
                               int,
                               int,
                               int,
                               int,
                               const void*,
                               const void* a,
                               int,
                               int,
                               long long,
                               const void* b,
                               int,
                               int,
                               long long,
                               const void*,
                               void* c,
                               int,
                               int,
                               long long,
                               int,
                               int,
                               int) {
    return product("cublasGemmStridedBatchedEx", handle, a, b, c);
}

// The arrays of pointers lie on the device, so what they name is not known.
int cublasGemmBatchedEx(void* handle,
                        int,
                        int,
                        int,
                        int,
                        int,
                        const void*,
                        const void* const* a,
                        int,
                        int,
                        const void* const* b,
                        int,
                        int,
                        const void*,
                        void* const* c,
                        int,
                        int,
                        int,
                        int,
                        int) {
    return product("cublasGemmBatchedEx", handle, a, b, c);
}

int cublasSgemmStridedBatched(void* handle,
                              int,
                              int,
                              int,
                              int,
                              int,
                              const float*,
                              const float* a,
                              int,
                              long long,
                              const float* b,
                              int,
                              long long,
                              const float*,
                              float* c,
                              int,
                              long long,
                              int) {
    return product("cublasSgemmStridedBatched", handle, a, b, c);
}

int cublasSgemmBatched(void* handle,
                       int,
                       int,
                       int,
                       int,
                       int,
                       const float*,
                       const float* const* a,
                       int,
                       const float* const* b,
                       int,
                       const float*,
                       float* const* c,
                       int,
                       int) {
    return product("cublasSgemmBatched", handle, a, b, c);
}

int cublasStrsmBatched(void* handle,
                       int,
                       int,
                       int,
                       int,
                       int,
                       int,
                       const float*,
                       const float* const* a,
                       int,
                       float* const* b,
                       int,
                       int) {
    return product("cublasStrsmBatched", handle, a, a, b);
}
}
