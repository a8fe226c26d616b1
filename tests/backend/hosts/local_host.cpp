// A program that knows no ggml, and loads one for itself alone, as node and Python do with theirs.
//
//   local_host [--first LIBRARY] GGML BACKEND...
//
// LIBRARY is loaded first, for all to see. The status is 0 if GGML took every BACKEND.
#include <dlfcn.h>

#include <cstdio>
#include <string_view>

namespace {

void* opened(const char* path, int mode) {
    void* library = dlopen(path, mode);
    if (library == nullptr) std::fprintf(stderr, "local_host: %s\n", dlerror());
    return library;
}

}  // namespace

int main(int argc, char** argv) {
    int next = 1;
    if (argc > 3 && std::string_view(argv[next]) == "--first") {
        if (opened(argv[next + 1], RTLD_NOW | RTLD_GLOBAL) == nullptr) return 2;
        next += 2;
    }
    void* ggml = next < argc ? opened(argv[next++], RTLD_NOW | RTLD_LOCAL) : nullptr;
    void* symbol = ggml == nullptr ? nullptr : dlsym(ggml, "ggml_backend_load");
    if (symbol == nullptr) return 2;
    const auto load = reinterpret_cast<void* (*)(const char*)>(symbol);
    for (; next < argc; ++next) {
        const bool taken = load(argv[next]) != nullptr;
        std::printf("%s %s\n", taken ? "took" : "refused", argv[next]);
        if (!taken) return 1;
    }
    return 0;
}
