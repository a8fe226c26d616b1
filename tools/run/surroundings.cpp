#include "run/surroundings.h"

#include <array>
#include <filesystem>
#include <string_view>

#include <fmt/format.h>

#include "common/folders.h"
#include "machine/profile_search.h"

namespace pshard::tool {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPlugin = "libggml-pshard.so";

// Backends of GPUs, the better supported first.
constexpr std::array kGpuBackends = {"cuda", "hip", "musa", "sycl", "cann", "vulkan"};

bool is_file(const fs::path& path) {
    std::error_code code;
    return fs::is_regular_file(path, code);
}

// Finds the plugin: beside this program in a build, among the libraries where it is installed.
std::string find_plugin(const fs::path& folder) {
    for (const fs::path& place : {folder / kPlugin, library_folder() / kPlugin}) {
        if (is_file(place)) return place;
    }
    return "";
}

}  // namespace

Result<Surroundings> look_around(const char* const* environment) {
    Surroundings here;
    here.environment = variables_of(environment);
    here.folder = program_folder();
    here.plugin = find_plugin(here.folder);
    here.profile_cache = profile_cache(value_of(here.environment, "XDG_CACHE_HOME"),
                                       value_of(here.environment, "HOME"));
    if (!here.plugin.empty()) return here;
    return Error{fmt::format("{} lies neither in {} nor in {}: install pshard as a whole",
                             kPlugin,
                             here.folder,
                             library_folder().string()),
                 {}};
}

InnerDevice inner_device(const Surroundings& here) {
    const std::string wanted = value_of(here.environment, "PSHARD_DEVICE");
    const std::string backend = value_of(here.environment, "GGML_BACKEND_PATH");
    const bool own = fs::path(backend).filename() == kPlugin;
    if (wanted.empty()) return {"", own ? "" : backend};
    const std::size_t slash = wanted.rfind('/');
    if (slash == std::string::npos) return {wanted, ""};
    const std::size_t colon = wanted.find(':', slash);
    const std::string name = colon == std::string::npos ? "" : wanted.substr(colon + 1);
    return {name, wanted.substr(0, colon)};
}

std::string device_text(const InnerDevice& device) {
    if (device.library.empty() || device.name.empty()) return device.library + device.name;
    return fmt::format("{}:{}", device.library, device.name);
}

std::string gpu_backend_beside(const HostProgram& program) {
    std::error_code code;
    const fs::path real = fs::canonical(program.path, code);
    for (const char* kind : kGpuBackends) {
        const fs::path library = real.parent_path() / fmt::format("libggml-{}.so", kind);
        if (is_file(library)) return library;
    }
    return "";
}

}  // namespace pshard::tool
