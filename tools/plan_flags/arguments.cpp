#include "plan_flags/arguments.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace pshard::tool {
namespace {

// Short names of more than one letter, as llama.cpp spells them.
constexpr std::array<std::string_view, 25> kShortNames = {
    "tb", "fa", "ctk",  "ctv",   "np",   "kvu", "no-kvu", "ub", "fitt", "mva",   "pg", "sm", "ngl",
    "ts", "ot", "cmoe", "ncmoe", "nkvo", "md",  "dev",    "mm", "kvo",  "ncffn", "mg", "fit"};

enum class Kind { Value, Switch, Flag };

// Variables of llama.cpp's common/arg.cpp, v0.5.0, and our two.
struct Variable {
    const char* name;
    std::string_view flag;  // without the dashes
    Kind kind = Kind::Value;
    const char* negated = nullptr;  // set: means "no", whatever its value
};

constexpr std::array kVariables = {
    Variable{"LLAMA_ARG_MODEL", "model"},
    Variable{"LLAMA_ARG_CTX_SIZE", "ctx-size"},
    Variable{"LLAMA_ARG_THREADS", "threads"},
    Variable{"LLAMA_ARG_FLASH_ATTN", "flash-attn"},
    Variable{"LLAMA_ARG_CACHE_TYPE_K", "cache-type-k"},
    Variable{"LLAMA_ARG_CACHE_TYPE_V", "cache-type-v"},
    Variable{"LLAMA_ARG_N_PARALLEL", "parallel"},
    Variable{"LLAMA_ARG_KV_UNIFIED", "kv-unified", Kind::Switch, "LLAMA_ARG_NO_KV_UNIFIED"},
    Variable{"LLAMA_ARG_SWA_FULL", "swa-full", Kind::Flag},
    Variable{"LLAMA_ARG_BATCH", "batch-size"},
    Variable{"LLAMA_ARG_UBATCH", "ubatch-size"},
    Variable{"LLAMA_ARG_FIT_TARGET", "fit-target"},
    Variable{"LLAMA_ARG_SPEC_DRAFT_MODEL", "model-draft"},
    Variable{"LLAMA_ARG_MMPROJ", "mmproj"},
    Variable{"LLAMA_ARG_SPLIT_MODE", "split-mode"},
    Variable{"LLAMA_ARG_N_GPU_LAYERS", "n-gpu-layers"},
    Variable{"LLAMA_ARG_TENSOR_SPLIT", "tensor-split"},
    Variable{"LLAMA_ARG_OVERRIDE_TENSOR", "override-tensor"},
    Variable{"LLAMA_ARG_CPU_MOE", "cpu-moe", Kind::Flag},
    Variable{"LLAMA_ARG_N_CPU_MOE", "n-cpu-moe"},
    Variable{"LLAMA_ARG_N_CPU_FFN", "n-cpu-ffn"},
    Variable{"LLAMA_ARG_KV_OFFLOAD", "kv-offload", Kind::Switch, "LLAMA_ARG_NO_KV_OFFLOAD"},
    Variable{"PSHARD_CPU_PROFILE", "cpu-profile"},
    Variable{"PSHARD_GPU_PROFILE", "gpu-profile"},
};

Status add_variable(const Variable& variable,
                    std::string_view value,
                    std::vector<std::string>& arguments) {
    if (variable.kind == Kind::Value) {
        arguments.push_back(fmt::format("--{}={}", variable.flag, value));
    } else if (is_truthy(value)) {
        arguments.push_back(fmt::format("--{}", variable.flag));
    } else if (!is_falsey(value)) {
        return Error{fmt::format("{}={}: expected on or off", variable.name, value), {}};
    } else if (variable.kind == Kind::Switch) {
        arguments.push_back(fmt::format("--no-{}", variable.flag));
    }
    return Done{};
}

}  // namespace

bool is_truthy(std::string_view text) {
    return text == "on" || text == "enabled" || text == "true" || text == "1";
}

bool is_falsey(std::string_view text) {
    return text == "off" || text == "disabled" || text == "false" || text == "0";
}

Result<std::vector<std::string>> arguments_of_environment(const Environment& environment) {
    std::vector<std::string> arguments;
    for (const Variable& variable : kVariables) {
        if (variable.negated != nullptr && environment(variable.negated) != nullptr) {
            arguments.push_back(fmt::format("--no-{}", variable.flag));
            continue;
        }
        const char* value = environment(variable.name);
        if (value == nullptr || *value == '\0') continue;
        if (Status added = add_variable(variable, value, arguments); !added) return added.error();
    }
    return arguments;
}

std::vector<std::string> short_names() { return {kShortNames.begin(), kShortNames.end()}; }

std::string normal_name(std::string_view argument) {
    if (argument.starts_with("--")) {
        std::string name(argument);
        std::replace(name.begin(),
                     name.begin() +
                         static_cast<std::ptrdiff_t>(std::min(argument.find('='), argument.size())),
                     '_',
                     '-');
        return name;
    }
    if (!argument.starts_with('-')) return std::string(argument);
    const std::string_view name = argument.substr(1, argument.find('=') - 1);
    const bool known = std::find(kShortNames.begin(), kShortNames.end(), name) != kShortNames.end();
    return known ? fmt::format("-{}", argument) : std::string(argument);
}

}  // namespace pshard::tool
