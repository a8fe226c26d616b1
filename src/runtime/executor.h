// Walks the schedule of a Program with ggml calls: the runtime's counterpart of sim/simulator.h.
//
// Steps are issued in the schedule's order; only Waits hold a lane. What is issued may still run
// when run() returns, and so may the uploads with which a next pass like this one would begin.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/worker.h"
#include "runtime/program.h"
#include "runtime/staging.h"
#include "runtime/stopwatch.h"

namespace pshard {

// Faults on purpose: tests must fail with them.
struct Chaos {
    bool no_upload = false;
    bool no_fence = false;
};

class Executor {
public:
    struct Devices {
        ggml_backend_dev_t gpu = nullptr;
        ggml_backend_dev_t cpu = nullptr;
        const PageLocks& locks;  // on host memory that is uploaded
    };

    // `timed`: passes are measured, which costs a little.
    static Result<std::unique_ptr<Executor>> open(const Devices& devices, Chaos chaos, bool timed);
    ~Executor();

    // Sets what is asked before each stage of later passes; true ends run() with ABORTED. The
    // caller then issues at most one stage ahead of the GPU. Empty: nobody is asked.
    void ask_before_stages(std::function<bool()> wants_to_stop) {
        asks_ = std::move(wants_to_stop);
    }

    // Runs a pass. `follows`: the pass before ran the same schedule on the same addresses, so that
    // this one may begin while it ends; else all of it is waited for. `program` must live until
    // synchronize(). After a throw or any other status than SUCCESS synchronize() is next, and no
    // pass follows this one.
    ggml_status run(Program& program, bool follows);

    // Waits until the pass is done; uploads for the next may still run. Throws what a copy has
    // thrown, but waits for the rest first, as synchronize() does.
    void finish();

    // Waits until everything that was issued is done. The next pass uploads anew: host memory may
    // change. What copies have thrown is thrown once more, and forgotten.
    void synchronize();

    // The process ends, perhaps in the middle of a pass: no copy begins from now on, and those that
    // run are waited for, a second at most. Nothing else of this may be called afterwards.
    void stop_for_good();

    // The times of the pass that run() was last called for, which must be finished. nullopt unless
    // passes are timed.
    std::optional<MeasuredPass> measured();

    [[nodiscard]] Queue& gpu() { return *gpu_; }

    // What copies go through while nothing runs.
    [[nodiscard]] Staging& link() { return *uploads_; }

    [[nodiscard]] ggml_backend_t cpu_backend() const { return cpu_->backend(); }

private:
    Executor(ggml_backend_dev_t device, Chaos chaos)
        : device_(device), chaos_(chaos), ends_{Mark(device), Mark(device)} {}

    // One pass, by step: its mark, and the ticket of the job that issues it where the worker does.
    struct Pass {
        std::array<std::deque<Mark>, kScheduleLanes> marks;  // by lane: a mark is of one queue
        std::deque<Mark> brought;  // a stage of the GPU has read what it needs of the CPU's
        std::vector<Worker::Ticket> tickets;
        StepTimes times;  // if timed, as all below
        Stopwatch::Tickets watched{};
    };

    void prepare(Pass& pass, std::size_t n_steps);
    static Mark& mark_of(Pass& pass, ScheduleLane lane, int index);

    // A mark, and the worker that issues it; nullptr: it is issued already.
    struct Point {
        const Mark& mark;
        Worker* worker = nullptr;
        Worker::Ticket ticket = 0;

        void wait_until_issued() const;
        void wait_until_reached() const;
    };

    bool is_stopped();
    ggml_status step(int index);
    void wait(ScheduleLane lane, const Wait& wait);
    void hold(ScheduleLane lane, const Point& point);
    void hand_over(int index, ScheduleLane lane, std::function<void()> copies);
    void load(int index, int group);
    void store(int index, int group);
    ggml_status compute(int index, int stage);
    void bring(int index, const StageWork& work);
    void end_pass();
    void run_ahead();
    void tidy();
    void turn_page(Program& program, bool follows);
    void mark_ends();
    void note_issued(int index);
    void watch(int index, ScheduleLane lane);

    Queue& queue(ScheduleLane lane);
    Worker* worker(ScheduleLane lane);  // nullptr: the caller issues it

    ggml_backend_dev_t device_;
    Chaos chaos_;
    std::unique_ptr<Queue> gpu_;
    std::unique_ptr<Queue> upload_;
    std::unique_ptr<Queue> download_;
    std::unique_ptr<Queue> cpu_;
    std::unique_ptr<Staging> inputs_;   // copies on gpu_
    std::unique_ptr<Staging> uploads_;  // copies on upload_, as downloads_ on download_
    std::unique_ptr<Staging> downloads_;
    std::array<Pass, 2> passes_;
    Pass* now_ = &passes_[0];
    Pass* last_ = &passes_[1];
    std::array<std::vector<Point>, kScheduleLanes> holds_;  // by lane: what its next job waits for
    std::array<Mark, 2> ends_;       // all passes before have ended: on the GPU, their downloads
    const Mark* brought_ = nullptr;  // the last of Pass::brought; nullptr: none yet
    Program* program_ = nullptr;
    bool follows_ = false;
    std::function<bool()> asks_;
    std::array<const Mark*, 2> computed_{};  // this pass's last two stages on the GPU
    int n_ahead_ = 0;   // steps of the upload lane that the next pass finds issued
    StepTimes before_;  // times of the pass before the one that is measured
    std::array<std::unique_ptr<Queue>, kScheduleLanes> watching_;  // by lane but Cpu, if timed
    int n_passes_ = 0;
    bool downloading_ = false;               // the worker was given jobs since it was last drained
    Worker::Ticket stored_ = 0;              // issues ends_[1]
    std::unique_ptr<Worker> upload_worker_;  // workers go first: their jobs use the queues
    std::unique_ptr<Worker> download_worker_;
    std::unique_ptr<Stopwatch> stopwatch_;  // nullptr unless timed; goes before the workers
};

// Adds the experts that the ids name, once the queue has done what it was told before.
void add_named_experts(Queue& queue,
                       const std::vector<ExpertLoad>& loads,
                       std::vector<SlotPiece>& pieces);

}  // namespace pshard
