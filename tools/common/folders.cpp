#include "common/folders.h"

#include <cstdlib>
#include <system_error>

#include <fmt/format.h>

#include "machine/profile_search.h"

namespace pshard::tool {

namespace fs = std::filesystem;

fs::path program_folder() {
    std::error_code code;
    return fs::read_symlink("/proc/self/exe", code).parent_path();
}

fs::path library_folder() { return (program_folder() / PSHARD_LIBRARY_FOLDER).lexically_normal(); }

std::string ggml_folder() {
    std::error_code code;
    for (const fs::path& folder : {library_folder(), fs::path(PSHARD_LLAMA_BIN_DIR)}) {
        if (fs::exists(folder / "libggml-cpu.so", code)) return folder;
    }
    return "";
}

std::string profile_cache_folder() {
    const auto variable = [](const char* name) {
        const char* value = std::getenv(name);
        return std::string(value == nullptr ? "" : value);
    };
    return profile_cache(variable("XDG_CACHE_HOME"), variable("HOME"));
}

Status make_absolute(std::string& path) {
    std::error_code code;
    const fs::path absolute = path.empty() ? fs::path() : fs::absolute(path, code);
    if (code) {
        return Error{
            fmt::format("cannot be found from the working folder ({}): change to another one, "
                        "or give the whole path",
                        code.message()),
            {path}};
    }
    path = absolute;
    return Done{};
}

}  // namespace pshard::tool
