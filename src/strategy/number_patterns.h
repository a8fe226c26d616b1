// Few regular expressions that match exactly the given numbers.
//
//   8, 9, ..., 31   ->   [8-9]  [1-2][0-9]  3[0-1]
//
// Digits and classes only: no parentheses and no bars, so that they pass through sh and xargs as
// they are, in quotes or not.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace pshard {

// `numbers`: from 0 up. The patterns do not anchor themselves.
std::vector<std::string> number_patterns(const std::set<int>& numbers);

}  // namespace pshard
