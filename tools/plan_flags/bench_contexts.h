// The contexts that llama-bench makes for its tests [S8].
//
//   -p 512 -n 128 -d 0,4096     512, 128, 4608, 4224 tokens
//   -pg 2048,200 -d 1024        1536, 1152, 3272: -p 512 and -n 128 stay unless they are given
//
// Lists "512,1024" and ranges "FIRST[-LAST[+STEP|*FACTOR]]" as llama-bench reads them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "plan_flags/options.h"

namespace pshard::tool {

struct BenchContext {
    std::uint32_t n_ctx = 0;     // tokens: prompt, generation and depth
    std::uint32_t tier_cap = 0;  // the largest prompt of the tests with that context, at least 16

    bool operator==(const BenchContext&) const = default;
};

// Each context once, in the order of the tests. Fails on what llama-bench cannot read either.
Result<std::vector<BenchContext>> bench_contexts(const BenchOptions& options);

// "512,1024-4096*2" -> 512, 1024, 2048, 4096
Result<std::vector<std::uint32_t>> read_ranges(const std::string& text);

}  // namespace pshard::tool
