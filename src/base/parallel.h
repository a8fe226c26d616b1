// Does independent pieces of work on two threads: the machines that plan have at least two cores.
#pragma once

#include <cstddef>
#include <functional>

#include "base/progress.h"

namespace pshard {

// Calls work(i) for each i in [0, n), on this thread and on another, and returns when all are done.
// Each next piece goes to the thread that is free. `on_progress` (may be empty) is called on this
// thread only.
void for_each_on_two_threads(std::size_t n,
                             const std::function<void(std::size_t)>& work,
                             const OnProgress& on_progress = {});

}  // namespace pshard
