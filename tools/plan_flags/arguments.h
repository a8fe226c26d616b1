// Makes the arguments that CLI11 reads: environment first, long names with two dashes.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "common/command_line.h"
#include "plan_flags/flags.h"

namespace pshard::tool {

using Environment = std::function<const char*(const char*)>;  // getenv

// "--ctx-size 8192 --kv-unified" of LLAMA_ARG_CTX_SIZE=8192 LLAMA_ARG_KV_UNIFIED=1. An empty
// variable counts as unset. Fails on a switch that is neither on nor off.
Result<std::vector<Argument>> arguments_of_environment(const Environment& environment);

// The names of several letters that llama.cpp writes with one dash, without it.
const std::vector<std::string>& short_names();

// "-mva" -> "--mva", "--fit_target" -> "--fit-target"; values and everything else as it is.
std::string normal_name(std::string_view argument);

// Whether a text means yes, or no, in llama.cpp: "on", "enabled", "true", "1"; "off", "disabled",
// "false", "0".
bool is_truthy(std::string_view text);
bool is_falsey(std::string_view text);

}  // namespace pshard::tool
