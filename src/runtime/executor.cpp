// Runs a Program. In: its schedule, and what ggml is called with in each step. Out: the same
// effects as if all steps ran one after the other in the schedule's order, but with four lanes side
// by side.
//
//   caller            issues the GPU's work and does the CPU's stages itself
//   upload worker     issues copies to the device, on a queue of its own
//   download worker   issues copies from the device, on a queue of its own
//
// A worker is needed because a copy of pageable memory holds whoever issues it. Each step that
// another lane waits for ends with a Mark (an event of the device). A Wait of the schedule becomes
// one of three things:
//
//   the waiting lane is the caller, for the GPU   the GPU's queue waits for the mark
//   the waiting lane is the caller, for the CPU   the host waits for the mark
//   the waiting lane has a worker                 the worker's next job makes its queue wait first
//
// Before anybody waits for a mark, it must have been issued, or the wait would hold nobody: so
// every wait for a worker's mark first waits for the worker's ticket.
//
// Two passes overlap. The marks and tickets of this pass and of the last one are two pages that
// take turns. A pass that follows one of the same schedule may begin while that ends, as Waits with
// of_last_pass name steps on the other page; any other pass waits for all of the last one. At the
// end of a pass the first uploads of the next are issued ahead, up to the last Load that waits for
// the last pass alone; if another program comes instead, they are drained and their marks dropped.
//
// The traps. A queue and its marks are for one thread at a time: the worker waits for its own marks
// on behalf of the caller. The rows that a Store copies are read when it is issued, as the host may
// overwrite their indices. A pass that is broken off leaves marks that were never issued: nothing
// may follow it.
#include "runtime/executor.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "base/overloaded.h"
#include "runtime/state_rows.h"

namespace pshard {
namespace {

// Large enough for several threads to fill, and as much as is copied from locked memory at a time.
constexpr Bytes kUploadPart = 16 * kMiB;

std::size_t at(int index) { return static_cast<std::size_t>(index); }

void upload_group(Staging& link, const GroupWork& group) {
    if (group.expert_loads.empty()) return link.upload(*group.slot, group.loads);
    std::vector<SlotPiece> pieces = group.loads;
    add_named_experts(link.queue(), group.expert_loads, pieces);
    sort_pieces(pieces);
    link.upload(*group.slot, pieces);
}

// Whether both bring the same bytes to the same places. They may not: a longer context reads more
// of a cache.
bool uploads_as(const Program& program, const Program& other) {
    if (&program == &other) return true;
    const auto same = [](const GroupWork& a, const GroupWork& b) {
        return a.slot->data == b.slot->data && a.loads == b.loads;
    };
    return std::equal(program.groups.begin(),
                      program.groups.end(),
                      other.groups.begin(),
                      other.groups.end(),
                      same);
}

// Does one after the other, whatever those before it threw. Then throws the first of that.
void do_all(const std::vector<std::function<void()>>& acts) {
    std::exception_ptr thrown;
    for (const std::function<void()>& act : acts) {
        try {
            act();
        } catch (...) {
            if (!thrown) thrown = std::current_exception();
        }
    }
    if (thrown) std::rethrow_exception(thrown);
}

// The steps of the upload lane, up to the last Load that waits for nothing but the pass before.
std::vector<int> steps_ahead(const std::vector<Step>& steps) {
    std::vector<int> ahead;
    std::size_t n_ready = 0;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        if (steps[i].lane != ScheduleLane::Upload) continue;
        const Wait* waits = wait_of(steps[i]);
        if (waits != nullptr && !waits->of_last_pass) break;
        ahead.push_back(static_cast<int>(i));
        if (waits == nullptr) n_ready = ahead.size();
    }
    ahead.resize(n_ready);  // a Wait alone might wait for a mark that is used anew
    return ahead;
}

}  // namespace

Result<std::unique_ptr<Executor>> Executor::open(const Devices& devices, Chaos chaos, bool timed) {
    const auto& [gpu, cpu, locks] = devices;
    std::unique_ptr<Executor> executor(new Executor(gpu, chaos));
    std::vector<std::pair<std::unique_ptr<Queue>*, ggml_backend_dev_t>> queues = {
        {&executor->gpu_, gpu},
        {&executor->upload_, gpu},
        {&executor->download_, gpu},
        {&executor->cpu_, cpu}};
    for (const ScheduleLane lane :
         {ScheduleLane::Gpu, ScheduleLane::Upload, ScheduleLane::Download}) {
        if (timed) queues.emplace_back(&executor->watching_.at(lane.index()), gpu);
    }
    for (const auto& [queue, device] : queues) {
        Result<std::unique_ptr<Queue>> opened = Queue::open(device);
        if (!opened) return opened.error();
        *queue = std::move(opened).value();
    }
    executor->inputs_ = std::make_unique<Staging>(gpu, *executor->gpu_, locks);
    executor->uploads_ = std::make_unique<Staging>(
        gpu, *executor->upload_, locks, Staging::Ring{kUploadPart, CopyThreads::beside_others()});
    executor->downloads_ = std::make_unique<Staging>(gpu, *executor->download_, locks);
    try {
        if (timed) executor->stopwatch_ = std::make_unique<Stopwatch>();
        executor->upload_worker_ = std::make_unique<Worker>();
        executor->download_worker_ = std::make_unique<Worker>();
    } catch (const std::system_error& error) {
        return Error{fmt::format("the system lets no thread start ({}): raise the limit of threads "
                                 "(ulimit -u, or pids of the container)",
                                 error.code().message()),
                     {}};
    }
    return executor;
}

Executor::~Executor() {
    if (!download_worker_) return;
    try {
        synchronize();
    } catch (...) {  // nobody computes any more
        return;
    }
}

Queue& Executor::queue(ScheduleLane lane) {
    switch (lane.kind) {
        case ScheduleLane::Kind::Upload:
            return *upload_;
        case ScheduleLane::Kind::Download:
            return *download_;
        case ScheduleLane::Kind::Cpu:
            return *cpu_;
        case ScheduleLane::Kind::Gpu:
            break;
    }
    return *gpu_;
}

void Executor::prepare(Pass& pass, std::size_t n_steps) {
    if (stopwatch_) {
        stopwatch_->wait_for(pass.watched);  // its threads look at the marks until then
        pass.times.assign(n_steps, {});
    }
    while (pass.brought.size() < n_steps) {
        for (std::deque<Mark>& marks : pass.marks) marks.emplace_back(device_);
        pass.brought.emplace_back(device_);
    }
    pass.tickets.assign(std::max(n_steps, pass.tickets.size()), 0);
}

Mark& Executor::mark_of(Pass& pass, ScheduleLane lane, int index) {
    return pass.marks.at(lane.index())[at(index)];
}

// Turns the page: the next pass's becomes this one's, with what was issued ahead for it.
void Executor::turn_page(Program& program, bool follows) {
    const bool same_loads = n_ahead_ > 0 && follows && uploads_as(program, *program_);
    if (!same_loads && std::exchange(n_ahead_, 0) > 0) {
        upload_worker_->drain();  // else it would issue marks that are this pass's now
    }
    if (!follows) before_.clear();
    program_ = &program;
    if (program.marks.empty()) program.marks = mark_use(program.schedule, program.stages);
    follows_ = follows;
    std::swap(now_, last_);
    if (n_ahead_ == 0) prepare(*now_, program.schedule.steps.size());
    if (follows) return;
    last_->tickets.assign(now_->tickets.size(), 0);
    const std::vector<Step>& steps = program.schedule.steps;
    const bool waits = std::ranges::any_of(steps, [](const Step& step) {
        const Wait* wait = wait_of(step);
        return wait != nullptr && wait->of_last_pass;
    });
    if (waits) mark_ends();
}

// Marks where all that was issued ends, for a pass that waits for the last one as a whole.
void Executor::mark_ends() {
    gpu_->issue(ends_[0]);
    downloading_ = true;
    stored_ = download_worker_->post([this] { download_->issue(ends_[1]); });
}

ggml_status Executor::run(Program& program, bool follows) {
    turn_page(program, follows);
    computed_ = {};
    int n_done_ahead = std::exchange(n_ahead_, 0);
    for (std::size_t i = 0; i < program.schedule.steps.size(); ++i) {
        const bool upload = program.schedule.steps[i].lane == ScheduleLane::Upload;
        if (upload && n_done_ahead-- > 0) continue;
        const ggml_status status = step(static_cast<int>(i));
        if (status != GGML_STATUS_SUCCESS) return status;
    }
    end_pass();
    run_ahead();
    tidy();
    return GGML_STATUS_SUCCESS;
}

// Waits for the uploads' queue as a whole, every few passes, behind what was issued. Nobody else
// does while passes follow each other, and ggml's Vulkan keeps what it was told until somebody
// does.
void Executor::tidy() {
    constexpr int kEvery = 64;  // passes
    if (++n_passes_ % kEvery == 0) upload_worker_->post([this] { upload_->synchronize(); });
}

void Executor::run_ahead() {
    const std::vector<Step>& steps = program_->schedule.steps;
    std::swap(now_, last_);
    prepare(*now_, steps.size());
    follows_ = true;
    for (const int index : steps_ahead(steps)) {
        step(index);
        ++n_ahead_;
    }
    std::swap(now_, last_);
}

ggml_status Executor::step(int index) {
    const Step& step = program_->schedule.steps[at(index)];
    ggml_status status = GGML_STATUS_SUCCESS;
    std::visit(Overloaded{[&](const Load& loads) { load(index, loads.group); },
                          [&](const Compute& computes) { status = compute(index, computes.stage); },
                          [&](const Store& stores) { store(index, stores.group); },
                          [&](const Wait& waits) {
                              if (!program_->marks[at(index)].covered) wait(step.lane, waits);
                          }},
               step.what);
    return status;
}

Worker* Executor::worker(ScheduleLane lane) {
    if (lane == ScheduleLane::Upload) return upload_worker_.get();
    return lane == ScheduleLane::Download ? download_worker_.get() : nullptr;
}

void Executor::wait(ScheduleLane lane, const Wait& wait) {
    if (chaos_.no_fence && lane != ScheduleLane::Cpu) return;
    if (wait.of_last_pass && !follows_) {
        hold(lane, {ends_[0]});
        hold(lane, {ends_[1], download_worker_.get(), stored_});
        return;
    }
    Pass& pass = wait.of_last_pass ? *last_ : *now_;
    const ScheduleLane of = program_->schedule.steps[at(wait.step)].lane;
    if (of == ScheduleLane::Cpu) return;  // the caller has done it
    hold(lane, {mark_of(pass, of, wait.step), worker(of), pass.tickets[at(wait.step)]});
}

void Executor::Point::wait_until_issued() const {
    if (worker != nullptr) worker->wait_for(ticket);
}

void Executor::Point::wait_until_reached() const {
    if (worker == nullptr) return mark.host_wait();
    worker->wait_for(worker->post([&seen = mark] { seen.host_wait(); }));
}

void Executor::hold(ScheduleLane lane, const Point& point) {
    if (const Worker* holder = worker(lane)) {
        // A queue is in order with itself.
        if (holder != point.worker) holds_.at(lane.index()).push_back(point);
        return;
    }
    if (lane == ScheduleLane::Cpu) return point.wait_until_reached();
    point.wait_until_issued();
    gpu_->wait(point.mark);
}

void Executor::hand_over(int index, ScheduleLane lane, std::function<void()> copies) {
    Queue& held = queue(lane);
    Mark& mark = mark_of(*now_, lane, index);
    note_issued(index);
    auto job = [&held,
                &mark,
                points = std::exchange(holds_.at(lane.index()), {}),
                copies = std::move(copies)] {
        for (const Point& point : points) {
            point.wait_until_issued();
            held.wait(point.mark);
        }
        copies();
        held.issue(mark);
    };
    if (lane == ScheduleLane::Download) downloading_ = true;
    now_->tickets[at(index)] = worker(lane)->post(std::move(job));
    watch(index, lane);
}

void Executor::load(int index, int group) {
    const GroupWork& work = program_->groups[at(group)];
    hand_over(
        index, ScheduleLane::Upload, [&work, link = chaos_.no_upload ? nullptr : uploads_.get()] {
            if (link != nullptr) upload_group(*link, work);
        });
}

// Stores the rows that the pass wrote. Their indices are read now: the host may overwrite its
// inputs.
void Executor::store(int index, int group) {
    const GroupWork& work = program_->groups[at(group)];
    std::vector<SlotPiece> pieces;
    for (const StateStore& store : work.stores) {
        for (const auto& [begin, end] : written_ranges(store.rows)) {
            pieces.push_back({store.state.offset + begin, end - begin, store.state.host + begin});
        }
    }
    sort_pieces(pieces);
    hand_over(index,
              ScheduleLane::Download,
              [&work, link = downloads_.get(), pieces = std::move(pieces)] {
                  link->download(*work.slot, pieces);
                  link->finish();
              });
}

bool Executor::is_stopped() {
    if (!asks_) return false;
    if (computed_[0] != nullptr) computed_[0]->host_wait();
    return asks_();
}

ggml_status Executor::compute(int index, int stage) {
    if (is_stopped()) return GGML_STATUS_ABORTED;
    StageWork& work = program_->stages[at(stage)];
    note_issued(index);
    const bool on_cpu = work.device == Device::Cpu;
    bring(index, work);
    Queue& lane = on_cpu ? *cpu_ : *gpu_;
    const ggml_status status = work.nodes.empty() ? GGML_STATUS_SUCCESS : lane.compute(work.graph);
    const bool awaited = program_->marks[at(index)].awaited || asks_ || stopwatch_;
    if (!on_cpu && awaited) {
        Mark& mark = mark_of(*now_, ScheduleLane::Gpu, index);
        gpu_->issue(mark);
        computed_ = {computed_[1], &mark};
    }
    watch(index, on_cpu ? ScheduleLane::Cpu : ScheduleLane::Gpu);
    return status;
}

// Brings what a stage reads from the other device. A CPU stage that reads nothing of the GPU's was
// held until the GPU had made what is behind it, but may use its scratch anew. Inputs are read
// before this returns: llama.cpp may write over them.
void Executor::bring(int index, const StageWork& work) {
    bool waits = false;
    bool must_stay = false;
    for (const Bring& value : work.brings) {
        const Span& span = value.span;
        if (value.is_input) {
            inputs_->upload(*span.device, span.host, 0, span.bytes);
        } else if (value.to_device) {
            must_stay = true;
            gpu_->upload(*span.device, span.host, 0, span.bytes);
        } else {
            gpu_->download(*span.device, span.host, 0, span.bytes);
            waits = true;
        }
    }
    if (waits) {
        gpu_->synchronize();
        brought_ = nullptr;
    } else if (work.device == Device::Cpu) {
        if (brought_ != nullptr) brought_->host_wait();
    } else if (must_stay && program_->marks[at(index)].brought) {
        Mark& brought = now_->brought[at(index)];
        gpu_->issue(brought);
        brought_ = &brought;
    }
}

void Executor::end_pass() {
    bool waits = false;
    for (const Outlet& outlet : program_->outlets) {
        if (!outlet.at_once) continue;
        const Span& span = outlet.span;
        if (span.device == nullptr) {
            std::memmove(span.host, outlet.host_value, span.bytes);
        } else {
            gpu_->download(*span.device, span.host, 0, span.bytes);
            waits = true;
        }
    }
    if (waits) gpu_->synchronize();
}

void Executor::finish() {
    do_all({[this] { inputs_->finish(); },
            [this] {
                if (downloading_) download_worker_->drain();
            },
            [this] {
                if (std::exchange(downloading_, false)) download_->synchronize();
            }});
}

// Jobs wait for each other's tickets, so nothing is forgotten before all have ended.
void Executor::synchronize() {
    n_ahead_ = 0;
    for (std::vector<Point>& points : holds_) points.clear();  // of a pass that was broken off
    do_all({[this] { upload_worker_->drain(); },
            [this] { upload_->synchronize(); },
            [this] { finish(); },
            [this] {
                if (stopwatch_) stopwatch_->settle();
                upload_worker_->forget_thrown();
                download_worker_->forget_thrown();
            }});
}

void Executor::stop_for_good() {
    constexpr std::chrono::milliseconds kLongest{1000};
    upload_worker_->stop_for_good(kLongest);
    download_worker_->stop_for_good(kLongest);
    if (stopwatch_) stopwatch_->stop_for_good(kLongest);
}

// ---- time ----

void Executor::note_issued(int index) {
    if (stopwatch_) now_->times[at(index)].issued = stopwatch_->now();
}

void Executor::watch(int index, ScheduleLane lane) {
    if (!stopwatch_) return;
    StepTime& time = now_->times[at(index)];
    if (lane == ScheduleLane::Cpu) {  // the caller has just done it
        time.ended = stopwatch_->now();
        return;
    }
    const Point point{mark_of(*now_, lane, index), worker(lane), now_->tickets[at(index)]};
    const auto wait = [&watching = *watching_.at(lane.index()), point] {
        point.wait_until_issued();
        watching.wait(point.mark);
        watching.synchronize();
    };
    stopwatch_->watch(lane, wait, time.ended, now_->watched);
}

std::optional<MeasuredPass> Executor::measured() {
    if (!stopwatch_ || program_ == nullptr) return std::nullopt;
    stopwatch_->wait_for(now_->watched);
    MeasuredPass pass = measured_pass(program_->schedule, now_->times, before_);
    before_ = now_->times;
    return pass;
}

}  // namespace pshard
