#include "ggml_kit/border.h"

#include <mutex>
#include <utility>

#include <fmt/format.h>

namespace pshard {
namespace {

// Of the process, since hooks are bare functions. Never freed: ggml may call until the very end.
struct Thrown {
    std::mutex mutex;
    std::string what;
    std::function<void(std::string_view)> log;
};

Thrown& thrown() {
    static auto* const thrown = new Thrown;
    return *thrown;
}

void keep(const char* what) {
    std::function<void(std::string_view)> log;
    {
        const std::lock_guard lock(thrown().mutex);
        if (!thrown().what.empty()) return;
        thrown().what = *what == '\0' ? "an exception without a word" : what;
        log = thrown().log;
    }
    if (!log) return;
    log(fmt::format(
        "{}: PSHARD0 computes nothing more, since values may be lost; start the program "
        "again, and report this if it comes back",
        what));
}

}  // namespace

std::string thrown_at_border() {
    const std::lock_guard lock(thrown().mutex);
    return thrown().what;
}

void forget_thrown() {
    const std::lock_guard lock(thrown().mutex);
    thrown().what.clear();
}

void log_thrown(std::function<void(std::string_view)> log) {
    const std::lock_guard lock(thrown().mutex);
    thrown().log = std::move(log);
}

void GgmlBorder::tell(const char* what) noexcept {
    try {
        keep(what);
    } catch (...) {  // there is no memory for a sentence, or nobody who takes it
    }
}

}  // namespace pshard
