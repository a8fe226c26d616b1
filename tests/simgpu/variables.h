// The environment variables of a stand-in for a GPU (simgpu, fakecuda), which its settings are read
// from.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace pshard::simgpu {

class Variables {
public:
    // Those of `environment`, which ends with nullptr, whose names begin with `prefix`.
    Variables(const char* const* environment, std::string_view prefix) {
        for (; *environment != nullptr; ++environment) {
            const std::string_view line = *environment;
            const std::size_t equals = line.find('=');
            if (!line.starts_with(prefix) || equals == std::string_view::npos) continue;
            values_[std::string(line.substr(0, equals))] = line.substr(equals + 1);
        }
    }

    // nullptr: it is not set.
    [[nodiscard]] const std::string* find(const std::string& name) const {
        const auto found = values_.find(name);
        return found == values_.end() ? nullptr : &found->second;
    }

    void refuse(const std::string& name) {
        if (problem_.empty()) problem_ = name + ": cannot be '" + values_[name] + "'";
    }

    // What was refused first; "": nothing.
    [[nodiscard]] const std::string& problem() const { return problem_; }

private:
    std::map<std::string, std::string> values_;
    std::string problem_;
};

}  // namespace pshard::simgpu
