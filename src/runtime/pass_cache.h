// The passes that were compiled lately, most recent first.
//
// llama.cpp gives a graph that it computes again the same uid; its first node and its length guard
// against a uid that comes twice. A graph that it builds anew is known by its image. A pass belongs
// to a tier, as the same graph may run by several.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "runtime/pass_runner.h"

struct ggml_cgraph;

namespace pshard {

class PassCache {
public:
    explicit PassCache(PassRunner& runner) : runner_(runner) {}

    // The pass of this graph in this tier, or in the one that it last ran in. nullptr: none.
    Pass* find(const ggml_cgraph& graph, std::optional<std::size_t> tier);

    Pass& add(std::unique_ptr<Pass> pass);

    // Forgets the passes that were not used for long.
    void trim();

    // Forgets all passes, once everything is done: what they point at is about to change.
    void clear();

private:
    PassRunner& runner_;
    std::vector<std::unique_ptr<Pass>> passes_;
};

}  // namespace pshard
