#include "run/options.h"

#include <algorithm>
#include <functional>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "common/command_line.h"
#include "plan_flags/arguments.h"
#include "run/manual.h"

namespace pshard::tool {
namespace {

using Words = std::vector<std::string>;

// Reads the words before `--` one by one; a value is the rest of its word, or the next word.
class Reader {
public:
    explicit Reader(Words words) : words_(std::move(words)) {}

    [[nodiscard]] bool at_end() const { return next_ >= words_.size(); }

    std::string word() { return words_[next_++]; }

    // nullopt: the flag has no value.
    std::optional<std::string> value_of(const std::string& word) {
        const std::size_t equals = word.find('=');
        if (equals != std::string::npos) return word.substr(equals + 1);
        if (at_end()) return std::nullopt;
        return words_[next_++];
    }

private:
    Words words_;
    std::size_t next_ = 0;
};

std::string set_goal(RunOptions& options, const std::string& value) {
    options.goal = goal_of(value);
    if (options.goal) return "";
    return fmt::format("--for {}: there are chat, agent, batch and bench", value);
}

std::string set_format(RunOptions& options, const std::string& value) {
    options.json = value == "json";
    if (value == "json" || value == "text") return "";
    return fmt::format("-o {}: there are text and json", value);
}

std::string set_time_limit(RunOptions& options, const std::string& value) {
    options.time_limit = value;
    const std::string fault = seconds_above_zero()(value);
    return fault.empty() ? "" : "--time-limit: " + fault;
}

// Takes a flag of this program's own. nullopt: it is another's; "": it is right; else what is
// wrong.
std::optional<std::string> take_own(const std::string& word, Reader& reader, RunOptions& options) {
    const std::string name = name_of(word);
    if (name == "--dry-run") options.dry_run = true;
    if (name == "--replan") options.replan = true;
    if (name == "--dry-run" || name == "--replan") return "";
    std::string (*set)(RunOptions&, const std::string&) = nullptr;
    if (name == "--for") set = set_goal;
    if (name == "-o" || name == "--output") set = set_format;
    if (name == "--time-limit") set = set_time_limit;
    if (set == nullptr) return std::nullopt;
    const std::optional<std::string> value = reader.value_of(word);
    return value ? set(options, *value) : name + ": a value is missing";
}

// Tells of a flag of the planner's that leaves nothing to run, "" if none was given.
std::string foreign_flag(const Options& plan) {
    for (const Flag& flag : kFlags) {
        const std::string_view names = flag.names;
        const std::string name(names.substr(0, names.find(',')));
        if (flag.in_run != InRun::Refused || !plan.given.contains(name)) continue;
        return fmt::format("{} is for llama-pshard-plan-params alone; leave it out here",
                           plan.typed(name));
    }
    return "";
}

std::variant<Options, EarlyExit> read_plan(const Words& arguments) {
    std::vector<const char*> argv = {"llama-pshard-run"};
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    return read_command_line(static_cast<int>(argv.size()), argv.data());
}

// Lets the planner read its flags twice: what the user has given decides what a goal adds.
std::optional<EarlyExit> read_planning(RunOptions& options) {
    std::variant<Options, EarlyExit> given = read_plan(options.plan_arguments);
    if (const auto* early = std::get_if<EarlyExit>(&given)) return *early;
    options.plan = std::get<Options>(std::move(given));
    if (std::string fault = foreign_flag(options.plan); !fault.empty()) return EarlyExit{1, fault};
    if (!options.goal) return std::nullopt;
    const Words added = goal_arguments(*options.goal, options.plan);
    options.plan_arguments.insert(options.plan_arguments.end(), added.begin(), added.end());
    given = read_plan(options.plan_arguments);
    if (const auto* early = std::get_if<EarlyExit>(&given)) return *early;
    options.plan = std::get<Options>(std::move(given));
    return std::nullopt;
}

std::string take_flags(const Words& flags, RunOptions& options) {
    Reader reader(flags);
    while (!reader.at_end()) {
        const std::string word = reader.word();
        const std::optional<std::string> fault = take_own(word, reader, options);
        if (fault && !fault->empty()) return *fault;
        if (!fault) options.plan_arguments.push_back(word);
    }
    if (options.json && !options.dry_run) return "-o json goes with --dry-run only";
    if (options.command.empty()) {
        return "no program: name one behind --, as in 'llama-pshard-run -m model.gguf -- "
               "llama-server'";
    }
    return "";
}

bool has(const Words& words, std::initializer_list<std::string_view> names) {
    return std::any_of(words.begin(), words.end(), [&](const std::string& word) {
        return std::find(names.begin(), names.end(), word) != names.end();
    });
}

}  // namespace

std::string value_behind(const Words& command, std::string_view flag) {
    std::string value;
    for (std::size_t i = 1; i + 1 < command.size(); ++i) {
        if (command[i] == flag) value = command[i + 1];
    }
    return value;
}

std::variant<RunOptions, EarlyExit> read_run_options(int argc, const char* const* argv) {
    const Words all(argv + 1, argv + argc);
    const auto dashes = std::find(all.begin(), all.end(), "--");
    const Words flags(all.begin(), dashes);
    if (has(flags, {"-h", "--help"})) return EarlyExit{0, run_manual()};
    if (has(flags, {"--version"})) {
        return EarlyExit{0, fmt::format("llama-pshard-run {}\n", PSHARD_VERSION)};
    }
    RunOptions options;
    if (dashes != all.end()) options.command.assign(dashes + 1, all.end());
    if (std::string fault = take_flags(flags, options); !fault.empty()) {
        return EarlyExit{1, fault};
    }
    if (std::optional<EarlyExit> early = read_planning(options)) return *early;
    return options;
}

}  // namespace pshard::tool
