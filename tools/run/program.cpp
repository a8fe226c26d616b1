#include "run/program.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <sstream>

#include <unistd.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace pshard::tool {
namespace {

namespace fs = std::filesystem;

struct KnownProgram {
    std::string_view name;
    ProgramKind kind;
};

constexpr std::array kPrograms = {
    KnownProgram{"llama-server", ProgramKind::Server},
    KnownProgram{"llama-cli", ProgramKind::Cli},
    KnownProgram{"llama-completion", ProgramKind::Completion},
    KnownProgram{"llama-bench", ProgramKind::Bench},
    KnownProgram{"llama-perplexity", ProgramKind::Perplexity},
};

std::optional<ProgramKind> kind_of(const std::string& name) {
    for (const KnownProgram& program : kPrograms) {
        if (program.name == name) return program.kind;
    }
    return std::nullopt;
}

std::string names_of_programs() {
    std::vector<std::string_view> names;
    for (const KnownProgram& program : kPrograms) names.push_back(program.name);
    return fmt::format("{}", fmt::join(names, ", "));
}

bool is_program(const fs::path& path) {
    std::error_code code;
    return fs::is_regular_file(path, code) && access(path.c_str(), X_OK) == 0;
}

// "" if no folder of $PATH has it.
std::string find_in_path(const std::string& name, const std::string& folders) {
    std::istringstream all(folders);
    for (std::string folder; std::getline(all, folder, ':');) {
        const fs::path path = fs::path(folder.empty() ? "." : folder) / name;
        if (is_program(path)) return path;
    }
    return "";
}

Error not_there(const std::string& word) {
    const bool is_path = word.find('/') != std::string::npos;
    return {fmt::format("there is no program {}{}",
                        word,
                        is_path ? "" : " in $PATH: install llama.cpp, or give the program's path"),
            {}};
}

// What stands between `before` and the next blank or the line's end; "" if it is not there.
std::string word_after(const std::string& text, std::string_view before) {
    const std::size_t begin = text.find(before);
    if (begin == std::string::npos) return "";
    const std::size_t start = begin + before.size();
    return text.substr(start, text.find_first_of(" \n", start) - start);
}

Status check_release(const HostProgram& program, const Variables& environment) {
    const Result<Finished> asked =
        run_command({{program.path, "--version"}, environment}, Catch::OutAndErr);
    if (!asked) return asked.error();
    // A build of one's own from the release's tree says "0.5.0-dev".
    const std::string release = word_after(asked.value().out, "version: ");
    if (release.substr(0, release.find('-')) == PSHARD_LLAMA_VERSION) return Done{};
    const std::string found =
        release.empty() ? "does not say its release" : "is of llama.cpp " + release;
    return Error{fmt::format("{}; libggml-pshard.so is built for v{}: take {} of that release",
                             found,
                             PSHARD_LLAMA_VERSION,
                             program.name),
                 {program.path}};
}

// "  CUDA0: NVIDIA ..." lines below "Available devices:".
std::vector<std::string> listed_devices(const std::string& text) {
    std::vector<std::string> names;
    std::istringstream lines(text);
    bool listed = false;
    for (std::string line; std::getline(lines, line);) {
        if (listed && line.starts_with("  ")) names.push_back(line.substr(2, line.find(':') - 2));
        listed = listed || line.starts_with("Available devices");
    }
    return names;
}

// Why PSHARD0 is not among the devices: what the plugin said, if it was loaded at all.
std::string reason_in(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("pshard: ")) return line.substr(8);
    }
    return "it loads no backends (GGML_BACKEND_PATH), as it is linked statically: take a build "
           "with shared libraries, as llama.cpp's releases are";
}

}  // namespace

Result<HostProgram> find_program(const std::string& word, const Variables& environment) {
    const std::string name = fs::path(word).filename();
    const std::optional<ProgramKind> kind = kind_of(name);
    if (!kind) {
        return Error{fmt::format("'{}' is no program that llama-pshard-run can start; there are {}",
                                 word,
                                 names_of_programs()),
                     {}};
    }
    const bool is_path = word.find('/') != std::string::npos;
    const std::string path = is_path ? word : find_in_path(name, value_of(environment, "PATH"));
    if (path.empty() || !is_program(path)) return not_there(word);
    return HostProgram{*kind, name, path};
}

Result<std::vector<std::string>> devices_of(const HostProgram& program,
                                            const Variables& environment,
                                            const std::string& plugin) {
    if (const Status release = check_release(program, environment); !release) {
        return release.error();
    }
    Variables with_plugin = environment;
    with_plugin["GGML_BACKEND_PATH"] = plugin;
    const Command ask{{program.path, "--list-devices"}, with_plugin};
    const Result<Finished> list = run_command(ask, Catch::OutAlone);
    if (!list) return list.error();
    std::vector<std::string> devices = listed_devices(list.value().out);
    if (std::find(devices.begin(), devices.end(), "PSHARD0") != devices.end()) return devices;
    const Result<Finished> asked = run_command(ask, Catch::OutAndErr);
    if (!asked) return asked.error();
    return Error{fmt::format("PSHARD0 is not among its devices: {}", reason_in(asked.value().out)),
                 {program.path}};
}

bool takes_draft_model(ProgramKind kind) {
    return kind == ProgramKind::Server || kind == ProgramKind::Cli;
}

bool takes_kv_unified(ProgramKind kind) {
    return kind == ProgramKind::Server || kind == ProgramKind::Perplexity;
}

}  // namespace pshard::tool
