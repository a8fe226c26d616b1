#include "plugin/trace_file.h"

#include <fmt/format.h>

#include <cstring>
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
