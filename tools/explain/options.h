// What the user asked of llama-pshard-explain.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "explain/what_if.h"
#include "plan_flags/options.h"

namespace pshard::tool {

enum class ExplainFormat { Markdown, Json, Csv };

struct ExplainOptions {
    Options planning;
    std::vector<WhatIf> what_ifs;
    std::string trace;  // a file; empty: none
    std::string html;   // written; empty: none
    bool sweep = false;
    ExplainFormat format = ExplainFormat::Markdown;
};

std::variant<ExplainOptions, EarlyExit> read_explain_command_line(int argc,
                                                                  const char* const* argv);

}  // namespace pshard::tool
