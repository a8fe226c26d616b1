// A plan of a toy model as the tools report it, for tests of what is made of it.
#pragma once

#include <gtest/gtest.h>

#include "cost/toy_profile.h"
#include "planner/planning.h"
#include "support/toy_models.h"

namespace pshard::test {

// A dense model of 4 layers, 96 bytes of weights and 64 of KV each, in 500 bytes: not all fits.
class ToyReport : public testing::Test {
protected:
    ToyReport() : profile_(toy_profile()) {
        report_.model_path = "toy.gguf";
        report_.inventory = toy_dense(4);
        report_.inventory.model_name = "toy </script> <!--";
        report_.budget = {.total = 500, .origin = "-mva"};
        report_.profile = &profile_;
        report_.depth_tokens = 2;
        report_.n_threads = 1;
        search();
    }

    void search() { make_plan(report_); }

    MachineProfile profile_;
    Planning report_;
};

}  // namespace pshard::test
