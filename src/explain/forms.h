// An explanation as text: for people, for programs, for spreadsheets, for a browser.
#pragma once

#include <string>
#include <string_view>

#include "explain/explanation.h"

namespace pshard {

// The plan's own report (report/report.h), then bounds, changes and measurements.
std::string explanation_markdown(const Explanation& explanation);

// One document, whose fields are a promise: docs/cli/llama-pshard-explain.md.
std::string explanation_json(const Explanation& explanation);

// A line for each figure: table, tokens, name, figure, value.
std::string explanation_csv(const Explanation& explanation);

// One file that refers to no other. `page` has "@DATA@" in a script of type application/json and,
// after it, "@LIBRARY@" in a script.
std::string explanation_page(const Explanation& explanation,
                             std::string_view page,
                             std::string_view library);

}  // namespace pshard
