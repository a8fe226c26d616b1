#include "plugin/trace_file.h"

#include <fmt/format.h>

#include <cstring>
#include <fstream>
#include <memory>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomic_file.h"
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

    ~TraceFile() {
        if (lock_ >= 0) ::close(lock_);
    }

    // Locks the file as long as this run writes: another run would mix its passes in.
    Status begin(const Trace& header) {
        const std::string old = beginning_of(path_);
        if (!old.empty() && old.find("pshard-trace") == std::string::npos) {
            return fault("is there and is no trace; name another file, or remove it");
        }
        lock_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        if (is_taken()) {
            return fault("is being written by another run; name another file for this one");
        }
        file_.open(path_, std::ios::trunc);
        if (lock_ >= 0 && write(trace_begin(header))) return Done{};
        return fault(fmt::format("cannot be written: {}; name a file in a folder that can be",
                                 std::strerror(errno)));
    }

    // Flushes each pass, since the process may end at any time.
    void add(const PassRecord& record) {
        if (!file_.is_open()) return;
        if (write(trace_pass(traced(record), n_passes_++))) return;
        log_(fmt::format(
            "PSHARD_TRACE: {} cannot be written any more: {}", path_, std::strerror(errno)));
        file_.close();
    }

private:
    [[nodiscard]] Error fault(const std::string& what) const {
        return {fmt::format("PSHARD_TRACE: {} {}", path_, what), {}};
    }

    // Whether another run writes the file. What is no file (/dev/null, a pipe) may have several
    // writers.
    [[nodiscard]] bool is_taken() const {
        struct stat status = {};
        const bool is_file = lock_ >= 0 && ::fstat(lock_, &status) == 0 && S_ISREG(status.st_mode);
        return is_file && ::flock(lock_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    }

    bool write(const std::string& text) {
        file_ << text << std::flush;
        return file_.good();
    }

    std::string path_;
    Log log_;
    int lock_ = -1;
    std::ofstream file_;
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
