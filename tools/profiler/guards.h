// What ends a profiler early: the user, or a driver that gives up. Either way the old file stays.
#pragma once

#include <string>

#include "base/atomic_file.h"

namespace pshard::tool {

// From now on Ctrl-C and SIGTERM are only noted; a second one ends the process at once.
void watch_for_stop();
bool stop_wanted();

// The file to write, from before the measuring to its end, so that any way out leaves none half
// written. Fails, before anything was measured, when it cannot be written, or holds what is no
// profile.
Status begin_output(const std::string& path);
Status commit_output(const std::string& text);
void discard_output();

// ggml's log is kept to itself, CUDA is allowed to page-lock our mappings, and where ggml or a
// driver would abort, one sentence goes to stderr and the process ends with 1. Before any backend
// is loaded.
void prepare_ggml();

}  // namespace pshard::tool
