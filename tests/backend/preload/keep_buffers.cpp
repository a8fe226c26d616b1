// vkDestroyBuffer without effect: for LD_PRELOAD, on lavapipe. That of Mesa 22.3 keeps buffers that
// were bound once in its state, without a reference, and counts references of those that are no
// more with its next dispatch: a run of stock llama.cpp with four sequences and flash attention
// always ends by SIGSEGV. Their memory is freed as ever.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <dlfcn.h>

namespace {

using Function = void (*)();
using Lookup = Function (*)(void*, const char*);

Lookup driver_lookup = nullptr;

void keep(void*, void*, const void*) {}

Function device_function(void* device, const char* name) {
    if (std::strcmp(name, "vkDestroyBuffer") == 0) return reinterpret_cast<Function>(keep);
    return driver_lookup(device, name);
}

Lookup loader_lookup() {
    void* loader = dlopen("libvulkan.so.1", RTLD_NOW);
    void* lookup = loader == nullptr ? nullptr : dlsym(loader, "vkGetInstanceProcAddr");
    if (lookup != nullptr) return reinterpret_cast<Lookup>(lookup);
    std::fprintf(stderr, "keep_buffers: no Vulkan loader: %s\n", dlerror());
    std::abort();
}

}  // namespace

// ggml-vulkan asks for all of Vulkan's functions here.
extern "C" [[gnu::visibility("default")]] Function vkGetInstanceProcAddr(void* instance,
                                                                         const char* name) {
    static const Lookup lookup = loader_lookup();
    const Function function = lookup(instance, name);
    if (std::strcmp(name, "vkDestroyBuffer") == 0) return reinterpret_cast<Function>(keep);
    if (std::strcmp(name, "vkGetDeviceProcAddr") != 0) return function;
    driver_lookup = reinterpret_cast<Lookup>(function);
    return reinterpret_cast<Function>(device_function);
}
