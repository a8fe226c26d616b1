// Stands for a ggml that is not ours: of another release, of one that does not tell which, or a
// library that is no ggml at all. It loads a backend as ggml does.
#include <dlfcn.h>

#include <cstdio>

extern "C" {

#ifdef PSHARD_FAKE_VERSION
const char* ggml_version() { return PSHARD_FAKE_VERSION; }
#endif

#ifdef PSHARD_FAKE_REGISTRY
void* ggml_backend_dev_by_type(int) { return nullptr; }
#endif

void* ggml_backend_load(const char* path) {
    void* backend = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (backend == nullptr) return nullptr;
    void* registry = reinterpret_cast<void* (*)()>(dlsym(backend, "ggml_backend_init"))();
    // After the call, which so cannot become a jump: its return address lies here, as in ggml.
    std::fprintf(stderr, "fake ggml: %s %s\n", registry == nullptr ? "refused" : "took", path);
    return registry;
}
}
