// Copies host memory by several threads: one alone reaches some 5 to 10 GB/s, which is less than
// memory gives and than a link takes.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "base/units.h"
#include "base/worker.h"

namespace pshard {

class CopyThreads {
public:
    // `n` with the caller's own; fewer where the system lets no more start.
    explicit CopyThreads(std::size_t n);

    // As many as may copy while others compute: a quarter of the machine's, at most four.
    static std::size_t beside_others();
    // While nobody does: at most four.
    static std::size_t alone();

    // Returns when all is copied. Small copies are the caller's alone.
    void copy(std::byte* to, const std::byte* from, Bytes bytes);

private:
    std::vector<std::unique_ptr<Worker>> others_;
};

}  // namespace pshard
