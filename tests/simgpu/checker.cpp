#include "simgpu/checker.h"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace pshard::simgpu {

namespace {

void join(VectorClock& clock, const VectorClock& other) {
    if (clock.size() < other.size()) clock.resize(other.size(), 0);
    for (std::size_t i = 0; i < other.size(); ++i) clock[i] = std::max(clock[i], other[i]);
}

std::string place(Actor actor) {
    return actor == kHost ? "the host" : "queue " + std::to_string(actor);
}

const char* sentence(FaultKind kind) {
    switch (kind) {
        case FaultKind::NotDeviceMemory:
            return "touches memory that is not the device's";
        case FaultKind::NeverWritten:
            return "reads bytes that were never written";
        case FaultKind::ReadTooEarly:
            return "reads what may not have been written yet";
        case FaultKind::OverwritesWrite:
            return "overwrites what may not have been written yet";
        case FaultKind::LockedForReading:
            return "writes host memory that is page-locked for reading";
        case FaultKind::FusedOverwrite:
            return "writes over what the same kernel reads";
        case FaultKind::SharedStream:
            return "is called while another thread uses the stream or waits for an event of it";
        case FaultKind::OverwritesRead:
            break;
    }
    return "overwrites what may still be read";
}

}  // namespace

std::string Fault::text() const {
    if (kind == FaultKind::SharedStream) return operation + " " + sentence(kind);
    char bytes[64];
    std::snprintf(bytes,
                  sizeof bytes,
                  "[%#llx, %#llx)",
                  static_cast<unsigned long long>(range.begin),
                  static_cast<unsigned long long>(range.end));
    std::string line = operation + " " + sentence(kind) + ": '" + tensor + "', bytes " + bytes;
    if (!other.empty()) line += "; nothing orders it after " + other;
    return line;
}

Actor Checker::add_queue() {
    if (!unused_.empty()) {
        const Actor queue = unused_.back();
        unused_.pop_back();
        return queue;
    }
    clocks_.emplace_back();
    clocks_.back().resize(clocks_.size(), 0);
    return static_cast<Actor>(clocks_.size() - 1);
}

void Checker::drop_queue(Actor queue) {
    wait(kHost, record(queue));
    unused_.push_back(queue);
}

void Checker::allocate(Range range) { device_.put(range, {}); }

void Checker::release(Range range) {
    device_.forget(range);
    host_.forget(range);
}

void Checker::wait(Actor actor, const VectorClock& event) { join(clocks_[actor], event); }

bool Checker::ordered(const Mark& before, Actor actor) const {
    if (before.tick == 0) return true;
    const VectorClock& clock = clocks_[actor];
    return before.actor < clock.size() && clock[before.actor] >= before.tick;
}

std::uint32_t Checker::label_of(std::string_view operation) {
    const auto [found, is_new] = label_numbers_.try_emplace(
        std::string(operation), static_cast<std::uint32_t>(labels_.size()));
    if (is_new) labels_.emplace_back(operation);
    return found->second;
}

Fault Checker::fault(FaultKind kind,
                     Range range,
                     const Operation& operation,
                     const Access& access,
                     const Mark& other) const {
    Fault fault{kind,
                range,
                std::string(operation.name) + " on " + place(operation.actor),
                std::string(access.tensor),
                {}};
    if (other.tick != 0) fault.other = labels_[other.label] + " on " + place(other.actor);
    return fault;
}

// The segments that an access touches; memory of nobody is a fault.
SegmentMap::Span Checker::span_of(const Operation& operation,
                                  const Access& access,
                                  std::vector<Fault>& faults) {
    if (access.memory == Memory::Host) {
        host_.fill_holes(access.range, true);
        return host_.cut(access.range);
    }
    const SegmentMap::Span span = device_.cut(access.range);
    std::uintptr_t at = access.range.begin;
    for (auto it = span.first; it != span.last && it->first == at; ++it) at = it->second.end;
    if (at < access.range.end) {
        const Range missing{at, access.range.end};
        faults.push_back(fault(FaultKind::NotDeviceMemory, missing, operation, access, {}));
    }
    return span;
}

void Checker::read(const Operation& operation, const Access& access, std::vector<Fault>& faults) {
    const std::size_t n_faults = faults.size();
    const SegmentMap::Span span = span_of(operation, access, faults);
    for (auto it = span.first; it != span.last; ++it) {
        auto& [begin, segment] = *it;
        const Range range{begin, segment.end};
        const bool first = faults.size() == n_faults;
        if (first && access.needs_all && !segment.written) {
            faults.push_back(fault(FaultKind::NeverWritten, range, operation, access, {}));
        } else if (first && !ordered(segment.write, operation.actor)) {
            faults.push_back(
                fault(FaultKind::ReadTooEarly, range, operation, access, segment.write));
        }
        std::erase_if(segment.reads, [&](const Mark& mark) {
            return mark.actor == operation.actor || ordered(mark, kHost);
        });
        segment.reads.push_back(operation.mark);
    }
}

void Checker::write(const Operation& operation, const Access& access, std::vector<Fault>& faults) {
    const std::size_t n_faults = faults.size();
    const SegmentMap::Span span = span_of(operation, access, faults);
    if (span.first == span.last) return;
    for (auto it = span.first; it != span.last && faults.size() == n_faults; ++it) {
        if (access.may_race) break;
        const Range range{it->first, it->second.end};
        const Segment& segment = it->second;
        if (!ordered(segment.write, operation.actor)) {
            faults.push_back(
                fault(FaultKind::OverwritesWrite, range, operation, access, segment.write));
            continue;
        }
        const auto late = std::ranges::find_if(
            segment.reads, [&](const Mark& mark) { return !ordered(mark, operation.actor); });
        if (late == segment.reads.end()) continue;
        faults.push_back(fault(FaultKind::OverwritesRead, range, operation, access, *late));
    }
    SegmentMap& memory = access.memory == Memory::Host ? host_ : device_;
    if (faults.size() > n_faults) {  // holes stay holes
        for (auto it = span.first; it != span.last; ++it) {
            it->second = {it->second.end, true, operation.mark, {}};
        }
        return;
    }
    memory.put(access.range, {access.range.end, true, operation.mark, {}});
}

std::vector<Fault> Checker::run(Actor actor,
                                std::string_view operation,
                                std::span<const Access> accesses) {
    if (actor != kHost) join(clocks_[actor], clocks_[kHost]);
    const std::uint64_t tick = ++clocks_[actor][actor];
    const Operation now{actor, operation, {actor, label_of(operation), tick}};
    std::vector<Fault> faults;
    for (const Access& access : accesses) {
        if (access.range.begin >= access.range.end) continue;
        const std::size_t n_before = faults.size();
        if (access.writes) {
            write(now, access, faults);
        } else {
            read(now, access, faults);
        }
        const auto said = [&](const Fault& fault) {
            return fault.kind == faults.back().kind && fault.tensor == access.tensor;
        };
        if (faults.size() == n_before || n_before == 0) continue;
        if (std::any_of(faults.begin(), faults.end() - 1, said)) faults.pop_back();
    }
    const auto is_past = [this](const Mark& mark) { return ordered(mark, kHost); };
    device_.tidy(is_past);
    host_.tidy(is_past);
    return faults;
}

std::vector<Range> Checker::never_written(Range range) {
    std::vector<Range> pieces;
    const SegmentMap::Span span = device_.cut(range);
    for (auto it = span.first; it != span.last; ++it) {
        if (!it->second.written) pieces.push_back({it->first, it->second.end});
    }
    return pieces;
}

}  // namespace pshard::simgpu
