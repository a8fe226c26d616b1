// What a run did and when, as a file: the measured counterpart of a prediction.
//
// The runtime fills a TracedPass for each graph that it computes, and the simulator can fill one
// for a tier; both hold a Timeline of a Schedule. The file has Chrome's trace event format, which
// Perfetto and chrome://tracing open (docs/formats/trace.md).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "plan/timeline.h"

namespace pshard {

// One pass of one graph. The file keeps times to the nanosecond.
struct TracedPass {
    std::uint32_t n_tokens = 0;  // tokens of the graph
    TierKey tier;                // the tier whose plan it ran by
    std::string plan;            // in words: "GPUONLY_LAYERPIN_LAYERSTREAM, 12 layers pinned"
    std::string weights;         // which model: the registry's hash of its weights, or empty
    Seconds begin = 0;           // where the timeline begins, from the start of the trace
    Schedule schedule;
    std::vector<std::string> names;  // of each of schedule.steps: "layer 3 FFN"; empty for Waits
    std::vector<Bytes> bytes;        // that each of schedule.steps moves; 0 but for Load and Store
    Timeline timeline;

    bool operator==(const TracedPass&) const = default;
};

struct Trace {
    std::string program;  // "libggml-pshard 0.1.0"
    std::string device;   // the inner GPU, as ggml describes it
    std::string model;    // general.name or path; empty: unknown
    std::vector<TracedPass> passes;
    bool cut_off = false;  // whether the text ends within a pass, which was left out

    bool operator==(const Trace&) const = default;
};

// The text of a file: its begin, then each pass. A run may end at any time: Chrome's readers accept
// an array that was never closed, and so does ours. `names` and `bytes` of a pass must be as long
// as its schedule. Bytes of a text that are no UTF-8 are replaced.
std::string trace_begin(const Trace& header);  // without its passes
std::string trace_pass(const TracedPass& pass, int index);

// Appends up to so many bytes of what follows of a text; false at its end (base/atomic_file.h).
using TracePieces = std::function<Result<bool>(std::string& text, std::size_t bytes)>;

// Fails on text that is no such trace; the Error names the place in `file`. Events that are not
// ours are skipped. `most_bytes`: of the text, which hold no more steps than their number allows.
Result<Trace> read_chrome_trace(TracePieces pieces,
                                std::size_t most_bytes,
                                const std::string& file = "trace");
Result<Trace> from_chrome_trace(const std::string& text, const std::string& file = "trace");

}  // namespace pshard
