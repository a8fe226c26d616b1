// The program of llama.cpp's that is to be started: which one, where, and whether the plan can run
// in it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "run/command.h"

namespace pshard::tool {

enum class ProgramKind : std::uint8_t { Server, Cli, Completion, Bench, Perplexity };

struct HostProgram {
    ProgramKind kind = ProgramKind::Server;
    std::string name;  // "llama-server"
    std::string path;

    bool operator==(const HostProgram&) const = default;
};

// `word`: as after `--`, a path or a name of $PATH. Fails on a program that is not there, and on
// one whose flags are not known here.
Result<HostProgram> find_program(const std::string& word, const Variables& environment);

// Asks the program, by --version and --list-devices, for the names of the devices that it has once
// it has loaded `plugin`, PSHARD0 among them. Fails if it is of another release than
// PSHARD_LLAMA_VERSION, or loads no backends.
Result<std::vector<std::string>> devices_of(const HostProgram& program,
                                            const Variables& environment,
                                            const std::string& plugin);

// Whether the program takes -kvu and -no-kvu.
bool takes_kv_unified(ProgramKind kind);

// Whether the program takes -md (common/arg.cpp, v0.5.0).
bool takes_draft_model(ProgramKind kind);

// Fails if llama-server could not listen: "port 8080 of 127.0.0.1 is in use ...". Other programs do
// not listen. `arguments`: the program's own.
Status check_port(const HostProgram& program,
                  const std::vector<std::string>& arguments,
                  const Variables& environment);

}  // namespace pshard::tool
