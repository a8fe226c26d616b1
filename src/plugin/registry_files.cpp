#include "plugin/registry_files.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "registry/registry.h"

namespace pshard {
namespace {

// The file name in a line: of /proc/self/maps what begins with the first slash, an argument as it
// is.
std::string name_in(const std::string& line, bool is_mapping) {
    return is_mapping ? line.substr(std::min(line.find('/'), line.size())) : line;
}

// The names of model files in a list of /proc/self.
std::vector<std::string> model_files(const char* path, char separator) {
    std::vector<std::string> files;
    std::ifstream text(path);
    for (std::string line; std::getline(text, line, separator);) {
        if (line.ends_with(".gguf")) files.push_back(name_in(line, separator == '\n'));
    }
    return files;
}

std::vector<std::string> named_models() { return model_files("/proc/self/cmdline", '\0'); }

// The model files that this process has mapped, and those that its command line names: llama.cpp
// may have read and closed its file.
std::vector<std::string> model_files() {
    std::vector<std::string> files = named_models();
    const std::vector<std::string> mapped = model_files("/proc/self/maps", '\n');
    files.insert(files.end(), mapped.begin(), mapped.end());
    return files;
}

}  // namespace

bool names_several_models() { return named_models().size() > 1; }

std::vector<std::string> find_registries(const std::string& given) {
    if (!given.empty()) return {given};
    std::vector<std::string> found;
    for (const std::string& model : model_files()) {
        std::error_code missing;
        const auto beside =
            std::filesystem::canonical(model + std::string(kRegistrySuffix), missing);
        if (missing || std::ranges::count(found, beside.string()) > 0) continue;
        found.push_back(beside);
    }
    return found;
}

}  // namespace pshard
