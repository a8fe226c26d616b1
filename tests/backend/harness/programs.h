// llama.cpp's own programs, run through PSHARD0 and, where their output says what they computed, in
// stock llama.cpp too.
#pragma once

#include <string>
#include <vector>

#include "backend/harness/child_run.h"
#include "backend/harness/grid.h"

namespace pshard::backend_test {

struct Suite {
    std::string name;
    std::string program;               // in llama.cpp's bin folder
    std::vector<std::string> flags{};  // MODEL stands for the model's file, TEXT for a text
    std::string model = "llama-Q8_0";  // a row of the grid
    bool names_device = true;          // with --device PSHARD0
    bool all_ggml_backends = false;    // preloaded: the program does not load them
    bool pass_only = false;            // for `resident` alone: it has no model to plan
    std::vector<std::string>
        same_lines{};                     // stock prints the same in lines that hold one of these;
                                          // {""}: all of its stdout. Fractions to a
                                          // hundredth, where other kernels compute a part
    std::vector<std::string> must_say{};  // or nothing was tested; not the last line,
                                          // which llama.cpp's log may lose
    int limit_seconds = 300;
    int exit_code = 0;  // of both runs
};

// A program of llama.cpp's with one thread, its model on a device.
ChildProgram llama_program(const std::string& name,
                           const std::string& model_file,
                           const std::string& device);

// llama-completion on PSHARD0, which is greeted and says `n_predict` tokens.
ChildProgram completion(const std::string& model_file, int n_predict);

// Short enough for every test run, and the long ones.
const std::vector<Suite>& quick_suites();
const std::vector<Suite>& slow_suites();

struct SuiteResult {
    bool good = false;
    double seconds = 0;
    std::string text{};     // what went wrong, and the commands
    std::string missing{};  // why it could not be run
};

// Whether the texts differ in fractions alone (1.25), none of them by more than a hundredth of it.
bool same_but_for_fractions(const std::string& a, const std::string& b);

SuiteResult run_suite(const Suite& suite, const InnerDevice& device, const PlanRow& plan);

// llama.cpp's architectures in shares: the one of today, as a regular expression for
// test-llama-archs -a. All shares are run in a week.
std::string archs_of_today();

}  // namespace pshard::backend_test
