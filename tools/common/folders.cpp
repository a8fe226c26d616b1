#include "common/folders.h"

#include <system_error>

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

}  // namespace pshard::tool
