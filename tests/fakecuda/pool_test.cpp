// The figures of ops/cuda_pool.h against what the real ggml-cuda takes over the fake (pool_run).
#include <sstream>

#include "backend/harness/child_run.h"
#include "build_paths.h"
#include "fakecuda/host_cells.h"
#include "ops/cuda_pool.h"
#include "support/testing.h"

namespace pshard::backend_test {
namespace {

struct PoolLine {
    Bytes seen = 0;
    Bytes predicted = 0;
    std::string op;
};

std::vector<PoolLine> pool_lines() {
    ChildProgram program;
    program.command = {PSHARD_POOL_RUN, PSHARD_FAKECUDA_BACKEND};
    program.environment = {{"FAKECUDA_MEMORY_MIB", "65536"}, {"GGML_NO_BACKTRACE", "1"}};
    const ChildResult result = run(program);
    EXPECT_TRUE(result.ok()) << result.text();
    std::vector<PoolLine> lines;
    std::istringstream text(result.out);
    PoolLine line;
    while (text >> line.seen >> line.predicted && std::getline(text, line.op))
        lines.push_back(line);
    return lines;
}

// No op takes more than its figure. A figure is no more than an eighth above what is taken, and the
// ends of split tiles (46 multiprocessors of 64 KiB), which not all products have, and a granule.
TEST(CudaPool, IsAsLargeAsItsFigureSays) {
    if (!host_cells_missing().empty()) GTEST_SKIP() << host_cells_missing();
    const std::vector<PoolLine> lines = pool_lines();
    EXPECT_GT(lines.size(), 200U);
    for (const PoolLine& line : lines) {
        EXPECT_LE(line.seen, line.predicted) << line.op;
        const bool is_either = line.op.starts_with(" KQ f16");  // of two precisions
        if (is_either) continue;
        EXPECT_LE(line.predicted, line.seen + line.seen / 8 + 3 * kMiB + kPoolGranule) << line.op;
    }
}

}  // namespace
}  // namespace pshard::backend_test
