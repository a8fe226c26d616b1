#include "plugin/trace_file.h"

#include <fmt/format.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <utility>

#include "trace/trace.h"

namespace pshard {
namespace {

TracedPass traced(const PassRecord& record) {
    TracedPass pass;
    pass.n_tokens = record.n_tokens;
    pass.tier_tokens = record.tier_tokens;
    pass.plan = record.plan;
    pass.begin = record.measured.begin;
    pass.schedule = record.schedule;
    for (const StepLabel& label : record.labels) {
        pass.names.push_back(label.name);
        pass.bytes.push_back(label.bytes);
    }
    pass.timeline = record.measured.timeline;
    return pass;
}

// A file that is there must be a trace: nobody loses a model to a slip. What is no regular file (a
// pipe) holds nothing.
bool may_replace(const std::string& path) {
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(path, ignored)) return true;
    std::ifstream file(path);
    std::string start(256, '\0');
    file.read(start.data(), static_cast<std::streamsize>(start.size()));
    return file.gcount() == 0 || start.find("pshard-trace") != std::string::npos;
}

class TraceFile {
public:
    TraceFile(std::string path, Log log) : path_(std::move(path)), log_(std::move(log)) {
        file_.open(path_, std::ios::trunc);
    }

    bool begin(const Trace& header) { return write(trace_begin(header)); }

    // The process may end at any time: what is done is on its way to the disk.
    void add(const PassRecord& record) {
        if (!file_.is_open()) return;
        if (write(trace_pass(traced(record), n_passes_++))) return;
        log_(fmt::format(
            "PSHARD_TRACE: {} cannot be written any more: {}", path_, std::strerror(errno)));
        file_.close();
    }

private:
    bool write(const std::string& text) {
        file_ << text << std::flush;
        return file_.good();
    }

    std::string path_;
    Log log_;
    std::ofstream file_;
    int n_passes_ = 0;
};

}  // namespace

Result<std::function<void(const PassRecord&)>> open_trace(const std::string& path,
                                                          const std::string& device,
                                                          Log log) {
    if (!may_replace(path)) {
        return Error{fmt::format("PSHARD_TRACE: {} is there and is no trace; name another file, or "
                                 "remove it",
                                 path),
                     {}};
    }
    const auto file = std::make_shared<TraceFile>(path, std::move(log));
    Trace header;
    header.program = "libggml-pshard";
    header.device = device;
    if (!file->begin(header)) {
        return Error{fmt::format("PSHARD_TRACE: {} cannot be written: {}; name a file in a folder "
                                 "that can be",
                                 path,
                                 std::strerror(errno)),
                     {}};
    }
    return std::function<void(const PassRecord&)>(
        [file](const PassRecord& record) { file->add(record); });
}

}  // namespace pshard
