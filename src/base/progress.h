// How far long work is: what is done, of how much.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace pshard {

// Told how many pieces of how many are done.
using OnProgress = std::function<void(std::size_t done, std::size_t all)>;

// Makes lines of what it is told, "WHAT: 3 of 8 UNIT", for `log`: none within the first second, and
// one a second after that. Empty if `log` is.
OnProgress told_each_second(std::string what,
                            std::string unit,
                            std::function<void(std::string_view line)> log);

}  // namespace pshard
