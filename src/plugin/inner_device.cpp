#include "plugin/inner_device.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <ggml-backend-impl.h>
#include <sys/stat.h>

#include "capture/device_policy.h"

namespace pshard {
namespace {

std::string names_of(ggml_backend_reg_t registry) {
    std::string names;
    for (std::size_t i = 0; i < ggml_backend_reg_dev_count(registry); ++i) {
        names += names.empty() ? "" : ", ";
        names += ggml_backend_dev_name(ggml_backend_reg_dev_get(registry, i));
    }
    return names.empty() ? "none" : names;
}

Result<ggml_backend_dev_t> device_of(ggml_backend_reg_t registry,
                                     const std::string& path,
                                     const std::string& name) {
    for (std::size_t i = 0; i < ggml_backend_reg_dev_count(registry); ++i) {
        ggml_backend_dev_t device = ggml_backend_reg_dev_get(registry, i);
        if (name.empty() || name == ggml_backend_dev_name(device)) return device;
    }
    return Error{
        fmt::format(
            "PSHARD_DEVICE: {} has no device '{}' (it has: {})", path, name, names_of(registry)),
        {}};
}

// Loads a backend that llama.cpp never sees: ggml's registry does not have it.
Result<ggml_backend_dev_t> load_privately(const std::string& wanted) {
    const std::size_t slash = wanted.rfind('/');
    const std::size_t colon = wanted.find(':', slash);
    const std::string path = wanted.substr(0, colon);
    const std::string name = colon == std::string::npos ? "" : wanted.substr(colon + 1);
    struct stat status = {};
    const bool is_there = stat(path.c_str(), &status) == 0;
    if (is_there && !S_ISREG(status.st_mode)) {  // dlopen would wait for a pipe's writer
        return Error{
            fmt::format("PSHARD_DEVICE: {} is no library but a folder, pipe or device", path), {}};
    }
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        return Error{fmt::format("PSHARD_DEVICE: the backend cannot be loaded: {}", dlerror()), {}};
    }
    const auto init = reinterpret_cast<ggml_backend_init_t>(dlsym(library, "ggml_backend_init"));
    ggml_backend_reg_t registry = init == nullptr ? nullptr : init();
    if (registry == nullptr || registry->api_version != GGML_BACKEND_API_VERSION) {
        return Error{fmt::format("PSHARD_DEVICE: {} is no ggml backend of this release, or found "
                                 "no device of its kind",
                                 path),
                     {}};
    }
    return device_of(registry, path, name);
}

Result<ggml_backend_dev_t> find_gpu_or_stand_in(const std::string& wanted, ggml_backend_dev_t cpu) {
    if (wanted.find('/') != std::string::npos) return load_privately(wanted);
    if (!wanted.empty()) {
        if (ggml_backend_dev_t named = ggml_backend_dev_by_name(wanted.c_str())) return named;
        return Error{fmt::format("PSHARD_DEVICE: there is no device '{}' (there are: {})",
                                 wanted,
                                 registered_devices()),
                     {}};
    }
    for (const auto type : {GGML_BACKEND_DEVICE_TYPE_GPU, GGML_BACKEND_DEVICE_TYPE_IGPU}) {
        if (ggml_backend_dev_t gpu = ggml_backend_dev_by_type(type)) return gpu;
    }
    return cpu;
}

}  // namespace

Result<InnerDevices> find_inner_devices(const std::string& wanted) {
    InnerDevices devices;
    devices.cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    if (devices.cpu == nullptr) {
        return Error{"ggml has no CPU backend loaded; it must lie where llama.cpp looks", {}};
    }
    Result<ggml_backend_dev_t> gpu = find_gpu_or_stand_in(wanted, devices.cpu);
    if (!gpu) return gpu.error();
    devices.gpu = gpu.value();
    return devices;
}

}  // namespace pshard
