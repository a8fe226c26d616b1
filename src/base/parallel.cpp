#include "base/parallel.h"

#include <atomic>
#include <exception>
#include <utility>

namespace pshard {

std::thread started_thread(std::function<void()> work) {
    try {
        return std::thread(std::move(work));
    } catch (const std::exception&) {  // no thread, or no memory for one
        return {};
    }
}

namespace {

// Items that threads take in turn.
class SharedWork {
public:
    SharedWork(std::size_t n, const std::function<void(std::size_t)>& work) : n_(n), work_(work) {}

    // Takes items until none is left. What one throws comes back, and nobody takes another.
    std::exception_ptr run(const OnProgress& tell) {
        try {
            take_all(tell);
            return nullptr;
        } catch (...) {
            next_ = n_;
            return std::current_exception();
        }
    }

private:
    void take_all(const OnProgress& tell) {
        for (std::size_t i = next_++; i < n_; i = next_++) {
            work_(i);
            const std::size_t now = ++done_;
            if (tell && now < n_) tell(now, n_);
        }
    }

    std::size_t n_;
    const std::function<void(std::size_t)>& work_;
    std::atomic<std::size_t> next_ = 0;
    std::atomic<std::size_t> done_ = 0;
};

}  // namespace

void for_each_on_two_threads(std::size_t n,
                             const std::function<void(std::size_t)>& work,
                             const OnProgress& on_progress) {
    SharedWork shared(n, work);
    std::exception_ptr of_other;
    std::thread other = started_thread([&] { of_other = shared.run({}); });
    const std::exception_ptr of_this = shared.run(on_progress);
    if (other.joinable()) other.join();
    for (const std::exception_ptr& thrown : {of_this, of_other}) {
        if (thrown) std::rethrow_exception(thrown);
    }
    if (on_progress) on_progress(n, n);
}

}  // namespace pshard
