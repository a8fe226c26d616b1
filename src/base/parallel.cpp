#include "base/parallel.h"

#include <atomic>
#include <exception>
#include <system_error>
#include <utility>

namespace pshard {

std::thread started_thread(std::function<void()> work) {
    try {
        return std::thread(std::move(work));
    } catch (const std::system_error&) {
        return {};
    }
}

void for_each_on_two_threads(std::size_t n,
                             const std::function<void(std::size_t)>& work,
                             const OnProgress& on_progress) {
    std::atomic<std::size_t> next = 0;
    std::atomic<std::size_t> done = 0;
    const auto run = [&](const OnProgress& tell) -> std::exception_ptr {
        try {
            for (std::size_t i = next++; i < n; i = next++) {
                work(i);
                const std::size_t now = ++done;
                if (tell && now < n) tell(now, n);
            }
            return nullptr;
        } catch (...) {
            next = n;
            return std::current_exception();
        }
    };
    std::exception_ptr of_other;
    std::thread other = started_thread([&] { of_other = run({}); });
    const std::exception_ptr of_this = run(on_progress);
    if (other.joinable()) other.join();
    for (const std::exception_ptr& thrown : {of_this, of_other}) {
        if (thrown) std::rethrow_exception(thrown);
    }
    if (on_progress) on_progress(n, n);
}

}  // namespace pshard
