#include "common/manual.h"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include "base/text.h"

namespace pshard::tool {
namespace {

constexpr std::size_t kWidth = 79;
constexpr std::size_t kIndent = 4;

// Wraps words into lines of at most 79 columns.
std::string wrapped(const std::string& text, std::size_t indent) {
    std::istringstream words(text);
    const std::string margin(indent, ' ');
    std::string lines;
    std::string line;
    for (std::string word; words >> word;) {
        if (!line.empty() && indent + line.size() + 1 + word.size() > kWidth) {
            lines += margin + line + '\n';
            line.clear();
        }
        line += (line.empty() ? "" : " ") + word;
    }
    return line.empty() ? lines : lines + margin + line + '\n';
}

std::string entries_text(const std::vector<ManualEntry>& entries) {
    std::string text;
    for (const ManualEntry& entry : entries) {
        text += fmt::format("{:{}}{}\n{}", "", kIndent, entry.term, wrapped(entry.text, 8));
    }
    return text;
}

void add_section(const std::string& title, const std::string& body, std::string& page) {
    if (!body.empty()) page += fmt::format("{}{}\n{}", page.empty() ? "" : "\n", title, body);
}

std::string options_text(const std::vector<ManualGroup>& groups) {
    std::string text;
    for (const ManualGroup& group : groups) {
        if (!text.empty()) text += '\n';
        if (!group.title.empty()) text += fmt::format("  {}\n", group.title);
        text += entries_text(group.entries);
    }
    return text;
}

// "--fa" -> "-fa" where llama.cpp writes it so; "--no-kvu{false}" -> "-no-kvu".
std::string spelled(std::string name, const std::vector<std::string>& short_names) {
    name = name.substr(0, name.find('{'));
    const bool is_short =
        name.starts_with("--") &&
        std::find(short_names.begin(), short_names.end(), name.substr(2)) != short_names.end();
    return is_short ? name.substr(1) : name;
}

// "INT:INT in [1 - 9]" -> "N", "TEXT:{text,json}" -> "text|json": CLI11's names say more, or less.
std::string value_name(const std::string& type) {
    const std::string kind = type.substr(0, type.find(':'));
    if (const std::size_t brace = type.find('{'); brace != std::string::npos) {
        std::string choices = type.substr(brace + 1, type.find('}') - brace - 1);
        std::replace(choices.begin(), choices.end(), ',', '|');
        return choices;
    }
    if (kind == "TEXT") return "VALUE";
    return kind == "INT" || kind == "UINT" || kind == "FLOAT" ? "N" : kind;
}

std::string term_of(const CLI::Option& option, const std::vector<std::string>& short_names) {
    std::vector<std::string> names = split(option.get_name(option.get_positional(), true), ',');
    for (std::string& name : names) name = spelled(name, short_names);
    const bool takes_value = option.get_expected_max() > 0 && option.get_type_size_max() > 0 &&
                             !option.get_type_name().empty() && !option.get_positional();
    const std::string value = takes_value ? " " + value_name(option.get_type_name()) : "";
    return fmt::format("{}{}", fmt::join(names, ", "), value);
}

}  // namespace

std::string manual_text(const Manual& manual) {
    std::string page;
    add_section("NAME", wrapped(manual.name + " - " + manual.purpose, kIndent), page);
    std::string synopsis;
    for (const std::string& line : manual.synopsis) synopsis += wrapped(line, kIndent);
    add_section("SYNOPSIS", synopsis, page);
    std::string description;
    for (const std::string& paragraph : manual.description) {
        description += (description.empty() ? "" : "\n") + wrapped(paragraph, kIndent);
    }
    add_section("DESCRIPTION", description, page);
    add_section("OPTIONS", options_text(manual.options), page);
    add_section("ENVIRONMENT", entries_text(manual.environment), page);
    add_section("FILES", entries_text(manual.files), page);
    add_section("EXIT STATUS", entries_text(manual.exit_status), page);
    add_section("EXAMPLES", entries_text(manual.examples), page);
    add_section("SEE ALSO", wrapped(manual.see_also, kIndent), page);
    return page;
}

std::vector<ManualGroup> option_groups(const CLI::App& app,
                                       const std::vector<std::string>& short_names) {
    std::vector<ManualGroup> groups;
    for (const CLI::Option* option : app.get_options()) {
        const auto is_same = [&](const ManualGroup& group) {
            return group.title == option->get_group();
        };
        auto group = std::find_if(groups.begin(), groups.end(), is_same);
        if (group == groups.end()) group = groups.insert(groups.end(), {option->get_group(), {}});
        group->entries.push_back({term_of(*option, short_names), option->get_description()});
    }
    // CLI11 adds -h and --version first: here they come last.
    const auto help = std::find_if(groups.begin(), groups.end(), [](const ManualGroup& group) {
        return group.title == "Options";
    });
    if (help != groups.end()) std::rotate(help, help + 1, groups.end());
    return groups;
}

}  // namespace pshard::tool
