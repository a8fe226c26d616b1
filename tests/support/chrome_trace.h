// The file of a trace that was closed; a run leaves its own open.
#pragma once

#include "trace/trace.h"

namespace pshard::test {

inline std::string to_chrome_trace(const Trace& trace) {
    std::string text = trace_begin(trace);
    int index = 0;
    for (const TracedPass& pass : trace.passes) text += trace_pass(pass, index++);
    return text.substr(0, text.rfind(',')) + "\n]\n";
}

}  // namespace pshard::test
