#include "runtime/pass_runner.h"

#include <fmt/format.h>

#include <chrono>
#include <cstring>
#include <utility>

#include "base/counted.h"
#include "runtime/host_buffer.h"

namespace pshard {
namespace {

// Whether one may begin while the other ends: both have the same steps with the same places.
bool are_alike(const Pass& a, const Pass& b) {
    return a.owner == b.owner && a.places == b.places &&
           a.program->schedule == b.program->schedule &&
           a.program->cut.groups == b.program->cut.groups;
}

// Whether the pass is of a whole graph: it writes into most of the model's states. A piece of a
// graph, or the drafting context's, does not.
bool is_whole(const Pass& pass) {
    return pass.written_states.size() * 2 >= pass.owner->model.inventory().states.size();
}

}  // namespace

PassRunner::PassRunner(const EngineSetup& setup, Executor& executor, OnDone on_done)
    : setup_(setup), executor_(executor), on_done_(std::move(on_done)) {}

ggml_status PassRunner::run(Pass& pass) {
    if (last_ != &pass) bring_home();
    values_.clear();
    bool follows = last_ != nullptr && (last_ == &pass || are_alike(*last_, pass));
    if (!pass.owner->holds(pass.places)) {
        switch_plan(pass);
        follows = false;
    }
    for (const int state : pass.written_states) pass.owner->residency.mark_written(state);
    if (setup_.on_pass) finish();  // what was measured is reported once
    begin_timing(pass);
    ggml_status status = GGML_STATUS_FAILED;
    try {
        status = executor_.run(*pass.program, follows);
    } catch (...) {
        break_off();
        throw;
    }
    if (status != GGML_STATUS_SUCCESS) {
        break_off();
        return status;
    }
    computing_ = true;
    last_ = &pass;
    for (const Outlet& outlet : pass.program->outlets) {
        if (!outlet.at_once) values_.emplace(outlet.root, outlet);
    }
    return status;
}

// No pass follows the one that runs: steps that were not issued keep marks of older passes.
void PassRunner::break_off() {
    computing_ = false;
    last_ = nullptr;
    pieces_.drop();
    executor_.synchronize();
}

// Switches plans; the log tells what that took if passes are traced.
void PassRunner::switch_plan(const Pass& pass) {
    idle();
    const auto begin = std::chrono::steady_clock::now();
    const Bytes moved = pass.owner->fill_arena(pass.places, pass.tier, executor_.link());
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    if (!setup_.on_pass) return;
    setup_.log(fmt::format("plan switch to the tier of {}: {:.3f} MiB in {:.3f} ms",
                           counted(to_text(pass.owner->orders().tiers[pass.tier].key), "token"),
                           in_mib(moved),
                           1e3 * took.count()));
}

void PassRunner::finish() {
    if (!computing_) return;
    try {
        executor_.finish();
        computing_ = false;
        const auto now = std::chrono::steady_clock::now();
        const std::chrono::duration<double> took = now - begun_;
        pieces_.end(now);
        if (timing_) timing_->seconds = took.count();
        report(*last_);
    } catch (...) {
        break_off();
        throw;
    }
    on_done_(*last_, timing_);
}

// Passes that the host issues without waiting between them are timed as one.
void PassRunner::begin_timing(const Pass& pass) {
    if (!computing_) {
        timing_ = TimedPasses{.tier = pass.tier};
        begun_ = std::chrono::steady_clock::now();
    }
    const bool alike = !computing_ || (last_->owner == pass.owner && last_->tier == pass.tier);
    const bool whole = is_whole(pass);
    if (!alike || !whole) timing_.reset();
    if (whole) {
        pieces_.drop();
    } else {
        begin_piece(pass);
    }
    if (!timing_) return;
    ++timing_->n_passes;
    timing_->n_tokens += pass.n_tokens;
}

// A piece after one of the same model may begin the next graph: then the one before is told of.
void PassRunner::begin_piece(const Pass& pass) {
    const auto before = pieces_.begin({pass.owner, pass.tier, pass.n_tokens, pass.written_states},
                                      pass.owner->model.inventory().states.size(),
                                      std::chrono::steady_clock::now());
    if (before && last_ != nullptr && last_->owner == pass.owner) on_done_(*last_, before);
}

void PassRunner::report(const Pass& pass) {
    const std::optional<MeasuredPass> measured = executor_.measured();
    if (!measured) return;
    const TierOrder& order = pass.owner->orders().tiers[pass.tier];
    setup_.on_pass({pass.n_tokens,
                    order.key,
                    order.text,
                    pass.owner->orders().weights,
                    pass.program->schedule,
                    pass.labels,
                    *measured});
}

void PassRunner::idle() {
    finish();
    executor_.synchronize();
}

void PassRunner::let_go() {
    idle();
    bring_home();
    pieces_.drop();
    last_ = nullptr;
}

const Outlet* PassRunner::unfetched(const ggml_tensor& tensor) const {
    const auto found = values_.find(&root_of(tensor));
    return found == values_.end() ? nullptr : &found->second;
}

void PassRunner::drop_values(const std::byte* begin, Bytes bytes) {
    std::erase_if(values_, [&](const auto& entry) {
        const Span& span = entry.second.span;
        return span.host < begin + bytes && begin < span.host + span.bytes;
    });
}

void PassRunner::bring_home() {
    for (const auto& [root, outlet] : values_) {
        finish();
        if (outlet.span.device == nullptr) {
            std::memmove(outlet.span.host, outlet.host_value, outlet.span.bytes);
        } else {
            executor_.gpu().download(*outlet.span.device, outlet.span.host, 0, outlet.span.bytes);
            executor_.gpu().synchronize();
        }
    }
    values_.clear();
}

}  // namespace pshard
