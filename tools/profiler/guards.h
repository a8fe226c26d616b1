// What ends a profiler early: the user, or a driver that gives up. Either way the old file stays.
#pragma once

#include <string>

#include "base/atomic_file.h"

namespace pshard::tool {

// Lets Ctrl-C and SIGTERM only be noted from now on; a second one ends the process at once.
void watch_for_stop();
bool stop_wanted();

// Opens the file to write before anything is measured, so that no way out leaves it half written.
// Fails if it cannot be written, or holds what is no profile.
Status begin_output(const std::string& path);
Status commit_output(const std::string& text);
void discard_output();

// Keeps ggml's log off stderr, allows CUDA to page-lock our mappings, and turns an abort of ggml or
// of a driver into one sentence on stderr and the exit code 1. Call it before any backend is
// loaded.
void prepare_ggml();

}  // namespace pshard::tool
