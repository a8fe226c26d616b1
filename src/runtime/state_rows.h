// Which bytes of a state a graph reads and writes: only these cross the link if it is streamed.
#pragma once

#include <utility>
#include <vector>

#include "runtime/program.h"

namespace pshard {

struct StateAccess {
    Bytes read_begin = 0;  // [begin, end): the smallest range that holds all that is read
    Bytes read_end = 0;
    std::vector<WrittenRows> writes;
};

StateAccess state_access(const ggml_cgraph& graph, const ggml_tensor* state);

// The byte ranges that a write touches in this pass, ascending and joined where they meet.
std::vector<std::pair<Bytes, Bytes>> written_ranges(const WrittenRows& rows);

}  // namespace pshard
