// libggml-pshard.so: the door of the backend, told in docs/backend.md.
//
// ggml loads its backends with RTLD_LOCAL, and may itself have been loaded so (node's addons): then
// a library that names no ggml finds none. The door needs nothing of ggml's. It looks up the ggml
// that called it, refuses another release, makes that ggml visible to libraries loaded later, and
// opens libggml-pshard-core.so beside itself, which is all the rest.
#include <dlfcn.h>

#include <cstdio>
#include <string>

#include <ggml-backend.h>

#include "base/border.h"
#include "base/visible.h"

namespace {

// A library or program of this process, by an address in it; the program itself where dlopen does
// not know its path. nullptr: it cannot be reached.
void* mapped_at(const void* address) {
    Dl_info info{};
    if (dladdr(address, &info) == 0) return nullptr;
    void* object = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    return object != nullptr ? object : dlopen(nullptr, RTLD_LAZY);
}

// The release of the ggml that `function` is from; old releases do not tell it.
std::string version_of(void* function) {
    return function == nullptr ? "of an old release"
                               : reinterpret_cast<const char* (*)()>(function)();
}

// Makes the library that holds `symbol` visible, if it was not. True: what is loaded from now on
// finds the symbol under its name.
bool is_visible(const char* name, const void* symbol) {
    Dl_info info{};
    if (dlsym(RTLD_DEFAULT, name) == symbol) return true;
    if (dladdr(symbol, &info) == 0) return false;
    dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL);
    return dlsym(RTLD_DEFAULT, name) == symbol;
}

std::string beside(const char* file) {
    Dl_info info{};
    dladdr(reinterpret_cast<const void*>(&beside), &info);
    const std::string self = info.dli_fname;
    return self.substr(0, self.rfind('/') + 1) + file;
}

// Prints the sentence, once, since ggml asks more than once; returns nullptr.
ggml_backend_reg_t refuse(const std::string& sentence) {
    static std::string said;
    if (sentence != said) std::fprintf(stderr, "pshard: %s\n", pshard::visible(sentence).c_str());
    said = sentence;
    return nullptr;
}

ggml_backend_reg_t open_core() {
    const std::string path = beside("libggml-pshard-core.so");
    void* core = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (core == nullptr) return refuse(std::string("the backend cannot be loaded: ") + dlerror());
    const auto init =
        reinterpret_cast<ggml_backend_reg_t (*)()>(dlsym(core, "pshard_backend_init"));
    if (init == nullptr) return refuse(path + " is not of this build of pshard; install both anew");
    return init();
}

// `caller`: an address in the ggml that is the host.
ggml_backend_reg_t open_for(void* caller) {
    void* host = mapped_at(caller);
    void* registry = host == nullptr ? nullptr : dlsym(host, "ggml_backend_dev_by_type");
    if (registry == nullptr) {
        return refuse(
            "this program has llama.cpp inside itself, where no backend can be added; "
            "PSHARD0 needs a build of llama.cpp v" PSHARD_LLAMA_VERSION " with shared libraries");
    }
    void* version = dlsym(host, "ggml_version");
    const std::string found = version_of(version);
    if (found != PSHARD_GGML_VERSION) {
        return refuse("this program has ggml " + found + ", libggml-pshard.so is built for " +
                      PSHARD_GGML_VERSION " (llama.cpp v" PSHARD_LLAMA_VERSION
                                          "); use the two of one release");
    }
    if (!is_visible("ggml_backend_dev_by_type", registry) || !is_visible("ggml_version", version)) {
        return refuse(
            "another ggml in this process hides the one that asks for PSHARD0; run the "
            "two in processes of their own");
    }
    return open_core();
}

struct Door {
    static void tell(const char* what) noexcept { std::fprintf(stderr, "pshard: %s\n", what); }

    template <typename Out>
    static Out refusal() {
        return nullptr;
    }
};

}  // namespace

// What ggml calls.
extern "C" __attribute__((visibility("default"))) ggml_backend_reg_t ggml_backend_init(void) {
    return pshard::Border<open_for, Door>::call(__builtin_return_address(0));
}
