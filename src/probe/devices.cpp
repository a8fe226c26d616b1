#include "probe/devices.h"

#include <filesystem>
#include <system_error>

#include <fmt/format.h>

namespace pshard {

namespace {

bool is_gpu(ggml_backend_dev_t device) {
    const auto type = ggml_backend_dev_type(device);
    return type == GGML_BACKEND_DEVICE_TYPE_GPU || type == GGML_BACKEND_DEVICE_TYPE_IGPU;
}

std::string names_of_gpus() {
    std::string names;
    for (const DeviceInfo& device : list_devices()) {
        if (device.is_gpu) names += (names.empty() ? "" : ", ") + device.name;
    }
    return names.empty() ? "none" : names;
}

}  // namespace

void load_ggml_backends(const std::string& folder) {
    if (ggml_backend_dev_count() > 0) return;
    std::error_code code;
    const bool exists = std::filesystem::exists(folder, code);
    ggml_backend_load_all_from_path(exists ? folder.c_str() : nullptr);
}

DeviceInfo info_of(ggml_backend_dev_t device) {
    ggml_backend_dev_props props{};
    ggml_backend_dev_get_props(device, &props);
    DeviceInfo info;
    info.name = props.name;
    info.description = props.description;
    info.backend = ggml_backend_reg_name(ggml_backend_dev_backend_reg(device));
    info.is_gpu = is_gpu(device);
    info.total_bytes = props.memory_total;
    info.free_bytes = props.memory_free;
    if (props.device_id != nullptr) info.bus_id = props.device_id;
    return info;
}

std::vector<DeviceInfo> list_devices() {
    std::vector<DeviceInfo> devices;
    for (std::size_t i = 0; i < ggml_backend_dev_count(); i++) {
        devices.push_back(info_of(ggml_backend_dev_get(i)));
    }
    return devices;
}

Result<ggml_backend_dev_t> find_gpu(const std::string& name) {
    for (std::size_t i = 0; i < ggml_backend_dev_count(); i++) {
        ggml_backend_dev_t device = ggml_backend_dev_get(i);
        if (is_gpu(device) && (name.empty() || name == ggml_backend_dev_name(device))) {
            return device;
        }
    }
    if (name.empty()) {
        return Error{
            "ggml has no GPU here; put its backend (libggml-cuda.so, libggml-vulkan.so) beside "
            "libggml-cpu.so, or name it in GGML_BACKEND_PATH",
            {}};
    }
    return Error{fmt::format("ggml has no GPU '{}' here; it has: {}", name, names_of_gpus()), {}};
}

Result<ggml_backend_dev_t> find_cpu() {
    ggml_backend_dev_t device = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    if (device != nullptr) return device;
    return Error{"ggml has no CPU backend: libggml-cpu*.so was not found", {}};
}

Result<BackendHandle> open_backend(ggml_backend_dev_t device, int n_threads) {
    Result<BackendHandle> backend = open_backend(device);
    if (!backend) return backend;
    const auto set_threads =
        find_function<ggml_backend_set_n_threads_t>(device, "ggml_backend_set_n_threads");
    if (set_threads != nullptr) set_threads(backend.value().get(), n_threads);
    return backend;
}

Result<BufferHandle> allocate(ggml_backend_buffer_type_t type, Bytes bytes) {
    BufferHandle buffer(ggml_backend_buft_alloc_buffer(type, bytes));
    if (buffer) return buffer;
    return Error{fmt::format("{} has no {:.0f} MiB left: free some memory",
                             ggml_backend_buft_name(type),
                             in_mib(bytes)),
                 {}};
}

}  // namespace pshard
