#include "common/output.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>

#include <fmt/format.h>

#include "base/visible.h"
#include "common/log.h"

namespace pshard::tool {

int fail(const std::string& reason) {
    log_line(reason);
    return kFailed;
}

int print(const std::string& text, int exit_code, const std::string& done) {
    const std::string shown = visible_lines(text);
    const bool written = std::fwrite(shown.data(), 1, shown.size(), stdout) == shown.size() &&
                         std::fflush(stdout) == 0;
    if (written) return exit_code;
    return fail(fmt::format("cannot write to stdout: {}{}", std::strerror(errno), done));
}

int end_early(const EarlyExit& early) {
    return early.code == 0 ? print(early.text, 0) : fail(early.text);
}

int guarded(const std::function<int()>& work) {
    std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is a fault to tell, not our end
    try {
        return work();
    } catch (const std::bad_alloc&) {
        return fail(
            "out of memory: end other programs, lift the limit on memory, or ask for less "
            "(a smaller -c or -ub, fewer threads)");
    } catch (const std::exception& error) {
        return fail(error.what());
    }
}

}  // namespace pshard::tool
