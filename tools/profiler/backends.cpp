#include "profiler/backends.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "common/folders.h"

namespace pshard::tool {

void load_backends() { load_ggml_backends(ggml_folder()); }

std::string device_list(bool json) {
    std::string text;
    nlohmann::ordered_json array = nlohmann::ordered_json::array();
    for (const DeviceInfo& device : list_devices()) {
        array.push_back({{"name", device.name},
                         {"description", device.description},
                         {"backend", device.backend},
                         {"gpu", device.is_gpu},
                         {"total_mib", in_mib(device.total_bytes)},
                         {"free_mib", in_mib(device.free_bytes)},
                         {"bus_id", device.bus_id}});
        text += fmt::format("{:<10} {} ({:.0f} MiB, {:.0f} MiB free){}\n",
                            device.name,
                            device.description,
                            in_mib(device.total_bytes),
                            in_mib(device.free_bytes),
                            device.bus_id.empty() ? "" : ", " + device.bus_id);
    }
    return json ? array.dump(2) + "\n" : text;
}

}  // namespace pshard::tool
