// Which weights and states of a model lie in its arena now, and how to change that.
//
// Weights are copies of their masters: leaving costs nothing. A state has one home: its place in
// the arena, or its master in host memory while it is streamed or the CPU works on it.
#pragma once

#include <set>
#include <vector>

#include "base/progress.h"
#include "plan/arena.h"
#include "runtime/model.h"
#include "runtime/staging.h"

namespace pshard {

// A tensor as it lies in the arena where its root begins at `offset`.
ggml_tensor placed(const ggml_tensor& tensor, ggml_backend_buffer_t arena, Bytes offset);

class Residency {
public:
    // Moves what `to` has elsewhere. Everything that was issued before must be done; returns when
    // all is moved. Returns the bytes that crossed the link. `on_progress` is told of weights.
    Bytes go_to(const TierArena& to,
                const Model& model,
                ggml_backend_buffer_t arena,
                Staging& link,
                const OnProgress& on_progress = {});

    // Offset of a state in the arena; kNoOffset: its master is its home.
    [[nodiscard]] Bytes home(int state) const;

    // Drops a state whose context is gone, or whose master was written while it is the state's
    // home.
    void drop_state(int state);

    // Notes that all of a state is zero: it need not be read to be moved.
    void mark_zero(int state) { zero_.insert(state); }

    void mark_written(int state) { zero_.erase(state); }

private:
    std::vector<Bytes> weights_;
    std::vector<Bytes> states_;
    std::set<int> zero_;
};

}  // namespace pshard
