// What a run did and when, as a file: the measured counterpart of a prediction.
//
// The runtime fills a TracedPass for each graph that it computes, the simulator can fill one for a
// tier; both are a Timeline of a Schedule. The file is in Chrome's trace event format, which
// Perfetto and chrome://tracing open: docs/formats/trace.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "plan/timeline.h"

namespace pshard {

// One pass over one graph. Times are kept to the nanosecond.
struct TracedPass {
    std::uint32_t n_tokens = 0;  // tokens of the graph
    TierKey tier;                // the tier whose plan it ran by
    std::string plan;            // in words: "GPUONLY_LAYERPIN_LAYERSTREAM, 12 layers pinned"
    std::string weights;         // which model: the registry's hash of its weights; or empty
    Seconds begin = 0;           // the timeline's zero, from the start of the trace
    Schedule schedule;
    std::vector<std::string> names;  // by schedule.steps: "layer 3 FFN"; empty for Waits
    std::vector<Bytes> bytes;        // by schedule.steps: moved by a Load or Store; else 0
    Timeline timeline;

    bool operator==(const TracedPass&) const = default;
};

struct Trace {
    std::string program;  // "libggml-pshard 0.1.0"
    std::string device;   // the inner GPU, as ggml describes it
    std::string model;    // general.name or path; empty: unknown
    std::vector<TracedPass> passes;
    bool cut_off = false;  // the text ends within a pass, which was left out

    bool operator==(const Trace&) const = default;
};

// The file's whole text, or in parts, for a run that may end at any time: Chrome's readers accept
// an array that was never closed, and so does ours. `names` and `bytes` of a pass are as long as
// its schedule; bytes of a text that are no UTF-8 are replaced.
std::string trace_begin(const Trace& header);  // its passes are not written
std::string trace_pass(const TracedPass& pass, int index);
std::string to_chrome_trace(const Trace& trace);

// Fails, naming the place in `file`, on text that is not such a trace. Events that are not ours are
// passed over.
Result<Trace> from_chrome_trace(const std::string& text, const std::string& file = "trace");

}  // namespace pshard
