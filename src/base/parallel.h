// Does independent pieces of work on two threads: the machines that plan have at least two cores.
#pragma once

#include <cstddef>
#include <functional>
#include <thread>

#include "base/progress.h"

namespace pshard {

// A thread that does the work; not joinable where the system lets no more threads start.
[[nodiscard]] std::thread started_thread(std::function<void()> work);

// Calls work(i) for each i in [0, n), on this thread and, if one can start, on another, and returns
// when all are done. Each next piece goes to the thread that is free. `on_progress` (may be empty)
// is called on this thread only. What is thrown on either thread ends both and is thrown here.
void for_each_on_two_threads(std::size_t n,
                             const std::function<void(std::size_t)>& work,
                             const OnProgress& on_progress = {});

}  // namespace pshard
