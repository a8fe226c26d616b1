// Runs compiled passes one after the other, and keeps the values of the last one.
//
//   run(pass):  bring home the values that nobody has fetched
//               switch plans, if the arena does not hold what the pass wants
//               hand the program to the executor, which returns while it still runs
//   finish():   the pass is done: it is reported, once
//
// A value that outlives its pass (an outlet: the logits, an embedding) stays where the pass has
// computed it until llama.cpp fetches it, writes over its address, or the next pass begins. Then it
// must be home, as a later graph may read it there; unless the same pass runs again and makes it
// anew.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "plan/step_labels.h"
#include "runtime/engine_setup.h"
#include "runtime/graph_image.h"
#include "runtime/piece_clock.h"
#include "runtime/planned_model.h"
#include "runtime/program.h"

namespace pshard {

// A graph that was compiled, and what it needs to run again.
struct Pass {
    // What the graph is known by when it comes again.
    std::uint64_t uid = 0;
    const ggml_tensor* first = nullptr;
    int n_nodes = 0;
    GraphImage image;

    PlannedModel* owner = nullptr;
    std::size_t tier = 0;
    Places places;
    std::uint32_t n_tokens = 0;
    std::vector<int> written_states;
    std::vector<StepLabel> labels;  // if passes are timed
    std::unique_ptr<Program> program;
    Status checked = Done{};  // what EngineSetup::check_pass said
};

class PassRunner {
public:
    // Of the last pass: what ran since the last time that nothing ran. nullopt: passes of several
    // tiers or models, or a piece of a graph, which tell no rate. A graph in pieces is told of by
    // its last piece, when the next graph begins.
    using OnDone = std::function<void(const Pass&, const std::optional<TimedPasses>&)>;

    // `on_done` hears of each pass after which the host waited, when it is done.
    PassRunner(const EngineSetup& setup, Executor& executor, OnDone on_done);

    // Starts the pass. ABORTED if the caller wanted to stop; the next pass finds all as if this one
    // had not run, but for the rows of states that it wrote. So it does after a throw.
    ggml_status run(Pass& pass);

    // Waits until the last pass is done; uploads for the next may still run.
    void finish();

    // Waits until everything that was issued is done.
    void idle();

    // Waits as idle() does and brings values home. No later pass follows the last one, so that it
    // may go.
    void let_go();

    // The value of the last pass that nobody has fetched yet; nullptr: there is none.
    [[nodiscard]] const Outlet* unfetched(const ggml_tensor& tensor) const;

    // Drops the values at these addresses: their memory is used anew, and nobody will ask for them.
    void drop_values(const std::byte* begin, Bytes bytes);

private:
    void bring_home();
    void break_off();
    void switch_plan(const Pass& pass);
    void report(const Pass& pass);
    void begin_timing(const Pass& pass);
    void begin_piece(const Pass& pass);

    const EngineSetup& setup_;
    Executor& executor_;
    OnDone on_done_;
    std::optional<TimedPasses> timing_{};  // of what runs; seconds are set when it is done
    std::chrono::steady_clock::time_point begun_{};
    PieceClock pieces_;
    const Pass* last_ = nullptr;
    bool computing_ = false;
    std::unordered_map<const ggml_tensor*, Outlet> values_;  // by root, of the last pass
};

}  // namespace pshard
