// A finished plan as text: for people, for programs, and why it is what it is.
//
//   to_markdown    a table of the tiers                explain      rivals, memory, switches, lanes
//   to_json, to_json_lines, to_csv                     docs/cli/llama-pshard-plan-params.md
//
// Every rate in tokens per second names the depth (tokens in the KV cache) that it holds for.
// Everything that is printed was found before (planner/planning.h): nothing is searched here.
#pragma once

#include <string>
#include <vector>

#include "planner/planning.h"

namespace pshard {

std::string to_markdown(const Planning& planning);

// Explains the plan, with the lanes of each tier if add_details() has found them.
std::string explain(const Planning& planning);

std::string to_json(const std::vector<Planning>& plannings);        // one document
std::string to_json_lines(const std::vector<Planning>& plannings);  // one line for each plan
std::string to_csv(const std::vector<Planning>& plannings);         // one line for each tier

}  // namespace pshard
