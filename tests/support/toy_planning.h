// A plan of a toy model as the tools report it, for tests of what is made of it.
#pragma once

#include "cost/toy_profile.h"
#include "planner/planning.h"
#include "support/testing.h"
#include "support/toy_models.h"

namespace pshard::test {

// A dense model of 4 layers, 96 bytes of weights and 64 of KV each, in 500 bytes: not all fits.
class ToyPlanning : public testing::Test {
protected:
    ToyPlanning() : profile_(toy_profile()) {
        planning_.model_path = "toy.gguf";
        planning_.inventory = toy_dense(4);
        planning_.inventory.model_name = "toy </script> <!--";
        planning_.budget = {.total = 500, .origin = "-mva"};
        planning_.profile = &profile_;
        planning_.depth_tokens = 2;
        planning_.n_threads = 1;
        search();
    }

    void search() { make_plan(planning_); }

    MachineProfile profile_;
    Planning planning_;
};

}  // namespace pshard::test
