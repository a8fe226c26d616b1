// What a run does with a model. Each scenario goes through another door of a backend.
#pragma once

#include <string>
#include <vector>

#include "backend/harness/records.h"
#include "backend/harness/run_options.h"

namespace pshard::backend_test {

struct Scenario {
    std::string name;
    std::string what;
    void (*run)(const RunOptions&, Records&);
    int n_sequences = 1;
};

const std::vector<Scenario>& scenarios();

}  // namespace pshard::backend_test
