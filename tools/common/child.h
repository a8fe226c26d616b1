// Does work that may crash or hang in a process of its own.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "base/result.h"

namespace pshard::tool {

struct ChildWork {
    std::string what;  // "reading model.gguf": for the progress line and the errors
    std::function<Result<std::string>()> work;
    int limit_seconds = 120;
    std::string unit{};  // of what tell_parent() counts, "graphs"
};

// For the work: tells the waiting process how far it is. Elsewhere it does nothing.
void tell_parent(std::size_t done, std::size_t all);

// Returns the text that the work makes. A crash, an exit, an exception and a hang of the child
// become one Error each. The child's own output goes nowhere; it ends when this process does. After
// a second a line on stderr says what is being waited for, and how far it is.
//
// Call it while this process has one thread.
Result<std::string> run_in_child(const ChildWork& child);

}  // namespace pshard::tool
