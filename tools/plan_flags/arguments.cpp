#include "plan_flags/arguments.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"

namespace pshard::tool {
namespace {

// Names that llama.cpp has and the planner has not. They are listed, so that they are unknown flags
// and not -m with a value.
constexpr std::array kForeignShortNames = {"mg", "fit"};

std::vector<std::string> collect_short_names() {
    std::vector<std::string> names(kForeignShortNames.begin(), kForeignShortNames.end());
    for (const Flag& flag : kFlags) {
        for (std::string name : split(flag.names, ',')) {
            if (name.starts_with('!')) name.erase(0, 1);
            if (name.size() > 2 && name[1] != '-') names.push_back(name.substr(1));
        }
    }
    return names;
}

bool is_short_name(std::string_view name) { return std::ranges::count(short_names(), name) > 0; }

// The name with two dashes that the flag is given by.
std::string long_name(const Flag& flag) {
    const std::string_view names = flag.names;
    const std::size_t begin = names.find("--");
    return std::string(names.substr(begin, names.find(',', begin) - begin));
}

bool has_negative(const Flag& flag) {
    return std::string_view(flag.names).find('!') != std::string_view::npos;
}

bool takes_value(const Flag& flag) {
    if (flag.take != nullptr) return true;
    Options scratch;
    const FlagTarget target = flag.target(scratch);
    return !std::holds_alternative<bool*>(target) &&
           !std::holds_alternative<std::optional<bool>*>(target);
}

// The variable that means "no" once it is set, whatever its value: "LLAMA_ARG_NO_KV_UNIFIED".
std::string negative_variable(const Flag& flag) {
    return "LLAMA_ARG_NO_" + std::string(flag.variable).substr(std::string("LLAMA_ARG_").size());
}

Status add_variable(const Flag& flag, std::string_view value, std::vector<Argument>& arguments) {
    const std::string name = long_name(flag);
    if (takes_value(flag)) {
        arguments.push_back(
            {fmt::format("{}={}", name, value), fmt::format("{}={}", flag.variable, value)});
    } else if (is_truthy(value)) {
        arguments.push_back({name, flag.variable});
    } else if (!is_falsey(value)) {
        return Error{fmt::format("{}={}: expected on or off", flag.variable, value), {}};
    } else if (has_negative(flag)) {
        arguments.push_back({"--no" + name.substr(1), flag.variable});
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

Result<std::vector<Argument>> arguments_of_environment(const Environment& environment) {
    std::vector<Argument> arguments;
    for (const Flag& flag : kFlags) {
        if (flag.variable == nullptr) continue;
        const std::string negative = has_negative(flag) ? negative_variable(flag) : "";
        if (!negative.empty() && environment(negative.c_str()) != nullptr) {
            arguments.push_back({"--no" + long_name(flag).substr(1), negative});
            continue;
        }
        const char* value = environment(flag.variable);
        if (value == nullptr || *value == '\0') continue;
        if (Status added = add_variable(flag, value, arguments); !added) return added.error();
    }
    return arguments;
}

const std::vector<std::string>& short_names() {
    static const std::vector<std::string> names = collect_short_names();
    return names;
}

std::string normal_name(std::string_view argument) {
    if (argument.starts_with("--")) {
        std::string name(argument);
        const std::size_t end = std::min(argument.find('='), argument.size());
        std::replace(name.begin(), name.begin() + static_cast<std::ptrdiff_t>(end), '_', '-');
        return name;
    }
    if (!argument.starts_with('-')) return std::string(argument);
    const std::string_view name = argument.substr(1, argument.find('=') - 1);
    return is_short_name(name) ? fmt::format("-{}", argument) : std::string(argument);
}

}  // namespace pshard::tool
