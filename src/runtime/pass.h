// A graph that was compiled, and what it needs to run again.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "plan/step_labels.h"
#include "runtime/planned_model.h"
#include "runtime/program.h"

namespace pshard {

struct Pass {
    // What the graph is known by when it comes again.
    std::uint64_t uid = 0;
    const ggml_tensor* first = nullptr;
    int n_nodes = 0;

    PlannedModel* owner = nullptr;
    std::size_t tier = 0;
    Places places;
    std::uint32_t n_tokens = 0;
    std::vector<int> written_states;
    std::vector<StepLabel> labels;  // if passes are timed
    std::unique_ptr<Program> program;
    Status checked = Done{};  // what EngineSetup::check_pass said
};

}  // namespace pshard
