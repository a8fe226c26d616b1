#include "common/command_line.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include "base/text.h"

namespace pshard::tool {
namespace {

// Whether the error is about the option: CLI11 tells it by its longest name.
bool is_named(const std::string& error, const CLI::Option& option) {
    const std::string name = option.get_name();
    const std::size_t at = error.find(name);
    if (name.empty() || at == std::string::npos) return false;
    const std::size_t end = at + name.size();
    return end == error.size() || error[end] == ':' || error[end] == ' ';
}

// What the argument gives its flag; "" where it gives nothing.
std::string value_of(const std::vector<Argument>& arguments, std::size_t place) {
    const std::string& word = arguments[place].word;
    if (const std::size_t equals = word.find('='); equals != std::string::npos) {
        return word.substr(equals + 1);
    }
    return place + 1 < arguments.size() ? arguments[place + 1].word : "";
}

// The argument that an error is about: the last that gives the option the value that the error
// tells, else the last that names the option; nullptr: none does.
const Argument* culprit(const CLI::App& app,
                        const std::vector<Argument>& arguments,
                        const std::string& error) {
    const Argument* found = nullptr;
    for (std::size_t i = arguments.size(); i-- > 0;) {
        const std::string name = name_of(arguments[i].word);
        const CLI::Option* option = name.starts_with('-') ? app.get_option_no_throw(name) : nullptr;
        if (option == nullptr || !is_named(error, *option)) continue;
        const std::string told = fmt::format("'{}'", value_of(arguments, i));
        if (error.find(told) != std::string::npos) return &arguments[i];
        if (found == nullptr) found = &arguments[i];
    }
    return found;
}

// What is wrong with a value that one of our checks, or CLI11, refused.
std::string fault_of(const CLI::App& app,
                     const std::vector<Argument>& arguments,
                     const CLI::ParseError& error) {
    std::string text = error.what();
    const Argument* argument = culprit(app, arguments, text);
    if (argument == nullptr) return text;
    const std::string typed = name_of(argument->typed);
    if (dynamic_cast<const CLI::ValidationError*>(&error) != nullptr) {
        return typed + text.substr(std::min(text.find(": "), text.size()));
    }
    if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
        return typed + ": a value is missing";
    }
    const bool wrong_value = dynamic_cast<const CLI::ConversionError*>(&error) != nullptr;
    return wrong_value ? typed + ": this flag takes no value" : text;
}

// The words that no flag took, as they were typed.
std::string unknown_text(const std::vector<std::string>& words,
                         const std::vector<Argument>& arguments) {
    std::vector<std::string> typed;
    for (const std::string& word : words) {
        const auto found = std::ranges::find(arguments, word, &Argument::word);
        typed.push_back(found == arguments.end() ? word : found->typed);
    }
    return fmt::format("unknown argument '{}'; --help lists the flags", fmt::join(typed, " "));
}

// CLI11 takes the next word for the value of "--name=".
std::vector<std::string> words_for_cli(const std::vector<Argument>& arguments) {
    std::vector<std::string> words;
    for (const auto& [word, typed] : arguments) {
        const bool has_empty_value = word.starts_with("--") && word.find('=') == word.size() - 1;
        words.push_back(has_empty_value ? name_of(word) : word);
        if (has_empty_value) words.emplace_back();
    }
    std::ranges::reverse(words);  // as CLI11 wants them
    return words;
}

// Tells of a flag that was typed with an empty value, which would count as not given; "" if none
// was.
std::string empty_value(const CLI::App& app, const std::vector<Argument>& arguments) {
    for (const CLI::Option* option : app.get_options()) {
        if (std::ranges::count(option->results(), "") == 0) continue;
        for (std::size_t i = 0; i < arguments.size(); ++i) {
            const auto& [word, typed] = arguments[i];
            const bool names =
                word.starts_with('-') && app.get_option_no_throw(name_of(word)) == option;
            if (!names || !value_of(arguments, i).empty()) continue;
            return name_of(typed) + ": its value is empty: give one, or leave the flag out";
        }
    }
    return "";
}

}  // namespace

std::string name_of(const std::string& word) { return word.substr(0, word.find('=')); }

std::vector<Argument> arguments_of(int argc, const char* const* argv) {
    std::vector<Argument> arguments;
    for (int i = 1; i < argc; ++i) arguments.push_back({argv[i], argv[i]});
    return arguments;
}

std::optional<EarlyExit> parse(CLI::App& app,
                               const std::vector<Argument>& arguments,
                               const std::function<std::string()>& manual) {
    try {
        app.parse(words_for_cli(arguments));
    } catch (const CLI::CallForVersion& version) {
        return EarlyExit{0, fmt::format("{}\n", version.what())};
    } catch (const CLI::CallForHelp&) {
        return EarlyExit{0, manual()};
    } catch (const CLI::ExtrasError&) {
        return EarlyExit{kFailed, unknown_text(app.remaining(), arguments)};
    } catch (const CLI::ParseError& error) {
        return EarlyExit{kFailed, fault_of(app, arguments, error)};
    }
    if (std::string fault = empty_value(app, arguments); !fault.empty()) {
        return EarlyExit{kFailed, std::move(fault)};
    }
    return std::nullopt;
}

Check whole_number(std::int64_t least, std::uint64_t most) {
    return [=](const std::string& text) {
        const std::optional<std::int64_t> value = number_of<std::int64_t>(text);
        const bool good =
            value && *value >= least && (*value < 0 || static_cast<std::uint64_t>(*value) <= most);
        return good ? "" : fmt::format("'{}' is no whole number from {} to {}", text, least, most);
    };
}

Check seconds_above_zero() {
    return [](const std::string& text) {
        const bool good = number_of<double>(text).value_or(0) > 0;
        return good ? "" : fmt::format("'{}' is no number of seconds above 0", text);
    };
}

Check one_of(std::vector<std::string> words) {
    return [words = std::move(words)](const std::string& text) {
        const bool known = std::ranges::count(words, text) > 0;
        return known ? "" : fmt::format("'{}' is none of {}", text, fmt::join(words, ", "));
    };
}

}  // namespace pshard::tool
