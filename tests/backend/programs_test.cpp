// llama.cpp's own programs and tests run through PSHARD0.
#include "backend/harness/programs.h"
#include "backend/harness/expect.h"
#include "support/testing.h"

namespace pshard::backend_test {
namespace {

struct SuiteOn {
    Suite suite;
    std::string plan;

    friend void PrintTo(const SuiteOn& value, std::ostream* out) {
        *out << value.suite.name << " " << value.plan;
    }
};

std::vector<SuiteOn> cases() {
    std::vector<SuiteOn> all;
    for (const Suite& suite : quick_suites()) {
        if (!suite.all_ggml_backends) all.push_back({suite, "resident"});  // those take seconds
        if (!suite.pass_only && suite.name != "thread-safety") all.push_back({suite, "rotate"});
    }
    return all;
}

class Programs : public OnSimgpu, public testing::WithParamInterface<SuiteOn> {};

TEST_P(Programs, RunThroughPshard) {
    expect_suite_passes(GetParam().suite, device, plan_row(GetParam().plan));
}

INSTANTIATE_TEST_SUITE_P(Quick, Programs, ValuesIn(cases()), test::NamedByParameter());

}  // namespace
}  // namespace pshard::backend_test
