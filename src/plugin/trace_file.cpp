#include "plugin/trace_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/descriptor.h"
#include "trace/trace.h"

namespace pshard {
namespace {

TracedPass traced(const PassRecord& record) {
    TracedPass pass;
    pass.n_tokens = record.n_tokens;
    pass.tier = record.tier;
    pass.plan = record.plan;
    pass.weights = record.weights;
    pass.begin = record.measured.begin;
    pass.schedule = record.schedule;
    for (const StepLabel& label : record.labels) {
        pass.names.push_back(label.name);
        pass.bytes.push_back(label.bytes);
    }
    pass.timeline = record.measured.timeline;
    return pass;
}

class TraceFile {
public:
    TraceFile(std::string path, Log log) : path_(std::move(path)), log_(std::move(log)) {}

    TraceFile(const TraceFile&) = delete;
    TraceFile& operator=(const TraceFile&) = delete;

    // Locks the file as long as this run writes: another run would mix its passes in.
    Status begin(const Trace& header) {
        const std::string old = beginning_of(path_);
        if (!old.empty() && old.find("pshard-trace") == std::string::npos) {
            return fault("is there and is no trace; name another file, or remove it");
        }
        // Without O_NONBLOCK, a pipe that nobody reads would be waited for. Later writes may wait.
        file_ = Descriptor(
            ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666));
        if (file_.get() < 0 && errno == ENXIO) {
            return fault("is a pipe that nobody reads; start its reader first, or name a file");
        }
        if (is_taken()) {
            return fault("is being written by another run; name another file for this one");
        }
        if (file_.get() >= 0 && ::fcntl(file_.get(), F_SETFL, 0) == 0 &&
            (!is_file() || ::ftruncate(file_.get(), 0) == 0) && write(trace_begin(header))) {
            return Done{};
        }
        return fault(fmt::format("cannot be written: {}; name a file in a folder that can be",
                                 std::strerror(errno)));
    }

    // Flushes each pass, since the process may end at any time.
    void add(const PassRecord& record) {
        if (file_.get() < 0) return;
        if (write(trace_pass(traced(record), n_passes_++))) return;
        log_(fmt::format(
            "PSHARD_TRACE: {} cannot be written any more: {}", path_, std::strerror(errno)));
        file_ = Descriptor();
    }

private:
    [[nodiscard]] Error fault(const std::string& what) const {
        return {fmt::format("PSHARD_TRACE: {} {}", path_, what), {}};
    }

    [[nodiscard]] bool is_file() const {
        struct stat status = {};
        return file_.get() >= 0 && ::fstat(file_.get(), &status) == 0 && S_ISREG(status.st_mode);
    }

    // Whether another run writes the file. What is no file (/dev/null, a pipe) may have several
    // writers.
    [[nodiscard]] bool is_taken() const {
        return is_file() && ::flock(file_.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    }

    // A pipe whose reader has gone is a write that fails, and no signal that ends the host.
    [[nodiscard]] bool write(const std::string& text) const {
        sigset_t pipe;
        sigset_t before;
        sigemptyset(&pipe);
        sigaddset(&pipe, SIGPIPE);
        pthread_sigmask(SIG_BLOCK, &pipe, &before);
        const bool written = write_all(file_.get(), text);
        const int why = errno;
        const timespec at_once = {};
        const bool was_blocked = sigismember(&before, SIGPIPE) == 1;
        if (!written && why == EPIPE && !was_blocked) sigtimedwait(&pipe, nullptr, &at_once);
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
        errno = why;
        return written;
    }

    std::string path_;
    Log log_;
    Descriptor file_{};  // its lock lasts as long as it is open
    int n_passes_ = 0;
};

}  // namespace

Result<std::function<void(const PassRecord&)>> open_trace(const std::string& path,
                                                          const std::string& device,
                                                          Log log) {
    const auto file = std::make_shared<TraceFile>(path, std::move(log));
    Trace header;
    header.program = "libggml-pshard";
    header.device = device;
    if (const Status begun = file->begin(header); !begun) return begun.error();
    return std::function<void(const PassRecord&)>(
        [file](const PassRecord& record) { file->add(record); });
}

}  // namespace pshard
