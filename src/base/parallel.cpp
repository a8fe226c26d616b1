#include "base/parallel.h"

#include <atomic>
#include <thread>

namespace pshard {

void for_each_on_two_threads(std::size_t n,
                             const std::function<void(std::size_t)>& work,
                             const OnProgress& on_progress) {
    std::atomic<std::size_t> next = 0;
    std::atomic<std::size_t> done = 0;
    const auto run = [&](const OnProgress& tell) {
        for (std::size_t i = next++; i < n; i = next++) {
            work(i);
            const std::size_t now = ++done;
            if (tell && now < n) tell(now, n);
        }
    };
    std::thread other(run, OnProgress());
    run(on_progress);
    other.join();
    if (on_progress) on_progress(n, n);
}

}  // namespace pshard
