// Captured graphs, and the trap that they set. CUDA's backend keeps a captured graph for each first
// node, and launches it again without a further look when the uid is the same: with the addresses
// and shapes of the time of the capture.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "simgpu/graph_copy.h"

namespace pshard::simgpu {

class Recorder {
public:
    // What runs for this graph: the recorded one when the first node's address and a uid other than
    // 0 are those of the recording; else the graph as it is now, recorded anew.
    std::shared_ptr<const GraphCopy> graph_for(const ggml_cgraph& graph);

private:
    struct Recording {
        std::uint64_t uid = 0;
        std::shared_ptr<const GraphCopy> graph{};
    };

    static constexpr std::size_t kMost = 256;

    std::unordered_map<const void*, Recording> recordings_;
};

}  // namespace pshard::simgpu
