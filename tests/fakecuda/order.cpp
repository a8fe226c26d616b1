#include "fakecuda/order.h"

#include <algorithm>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace pshard::fakecuda {

namespace {

// All of a small source, and the first bytes of each page of a large one.
std::uint64_t hash_of(std::span<const std::byte> bytes) {
    constexpr std::size_t kWhole = std::size_t{64} << 10U;
    constexpr std::size_t kPage = 4096;
    constexpr std::size_t kSample = 64;
    if (bytes.size() <= kWhole) return XXH3_64bits(bytes.data(), bytes.size());
    std::uint64_t hash = 0;
    for (std::size_t at = 0; at + kSample <= bytes.size(); at += kPage) {
        hash = XXH3_64bits_withSeed(bytes.data() + at, kSample, hash);
    }
    return hash;
}

template <typename State>
State* find(const std::map<const void*, std::unique_ptr<State>>& states, const void* handle) {
    const auto found = states.find(handle);
    return found == states.end() ? nullptr : found->second.get();
}

template <typename State>
void* keep(std::map<const void*, std::unique_ptr<State>>& states, std::unique_ptr<State> state) {
    void* handle = state.get();
    states[handle] = std::move(state);
    return handle;
}

}  // namespace

StreamState* Order::stream_of(Stream handle, int device, int thread) {
    const auto number = reinterpret_cast<std::uintptr_t>(handle);
    if (number > 2) return find(streams_, handle);
    const bool legacy = number < 2;
    auto& stream = default_streams_[{device, legacy ? 0 : thread}];
    if (!stream) {
        stream = std::make_unique<StreamState>(
            StreamState{device, true, legacy, checker_.add_queue(), nullptr, true});
    }
    return stream.get();
}

Stream Order::make_stream(int device, bool blocking) {
    return keep(streams_,
                std::make_unique<StreamState>(
                    StreamState{device, blocking, false, checker_.add_queue(), nullptr, true}));
}

// What is under way goes on; nobody can wait for it any more, so its clock is kept.
Error Order::drop_stream(Stream handle) {
    const auto found = streams_.find(handle);
    if (found == streams_.end()) return kInvalidHandle;
    if (found->second->capture != nullptr) add_fault("a stream is destroyed while it is captured");
    for (auto& [key, event] : events_) {
        if (event->recorded_on == found->second.get()) event->recorded_on = nullptr;
    }
    streams_.erase(found);
    return kSuccess;
}

EventState* Order::event_of(Event handle) const { return find(events_, handle); }

Event Order::make_event(int device) {
    return keep(events_, std::make_unique<EventState>(EventState{device, {}, nullptr, nullptr}));
}

Error Order::drop_event(Event handle) {
    return events_.erase(handle) == 1 ? kSuccess : kInvalidHandle;
}

void Order::order_with_legacy(const StreamState& stream) {
    if (!check_ || !stream.blocking) return;
    const auto with = [&](const StreamState& other) {
        if (&other == &stream || !other.blocking || other.device != stream.device) return;
        if (stream.legacy || other.legacy)
            checker_.wait(stream.actor, checker_.record(other.actor));
        if (stream.legacy && other.capture != nullptr) {
            add_fault("the legacy stream is used while a stream that it orders is captured");
        }
    };
    for (const auto& [key, other] : default_streams_) with(*other);
    for (const auto& [key, other] : streams_) with(*other);
}

void Order::issue(StreamState& stream, const Operation& operation) {
    if (stream.capture == nullptr) return perform(stream, operation);
    stream.capture->operations.push_back(operation);
    stream.rejoined = &stream == stream.capture->origin;
    if (!operation.source.empty() || operation.count == kUploadsPageable ||
        operation.count == kDownloadsPageable) {
        add_fault(std::string(operation.name) +
                  " of host memory is captured: a replay would copy it again");
    }
}

void Order::perform(StreamState& stream, const Operation& operation) {
    ++counts_[operation.count];
    if (operation.bytes_count != kCounts) counts_[operation.bytes_count] += operation.bytes;
    if (!check_) return;
    order_with_legacy(stream);
    for (const simgpu::Fault& fault :
         checker_.run(stream.actor, operation.name, operation.accesses)) {
        add_fault(fault.text());
    }
    // A copy down into the source of one up was ordered behind it, or the checker has said so.
    for (const simgpu::Access& access : operation.accesses) {
        if (access.writes && access.memory == simgpu::Memory::Host) end_sources(access.range);
    }
    if (operation.source.empty()) return;
    pending_.push_back({stream.actor,
                        checker_.record(stream.actor)[stream.actor],
                        operation.source,
                        hash_of(operation.source)});
}

Error Order::record(EventState& event, StreamState& stream) {
    ++counts_[kRecords];
    if (event.device != stream.device) {
        add_fault("an event of one device is recorded on a stream of another");
        return kInvalidHandle;
    }
    order_with_legacy(stream);
    event.clock = checker_.record(stream.actor);
    event.capture = stream.capture;
    event.recorded_on = &stream;
    return kSuccess;
}

Error Order::queue_wait(StreamState& stream, EventState& event) {
    ++counts_[kQueueWaits];
    if (event.capture == nullptr && stream.capture != nullptr && event.recorded_on != nullptr) {
        add_fault("a stream that is captured waits for an event from outside of the capture");
        return kCaptureIsolation;
    }
    if (event.capture != nullptr && stream.capture != nullptr && event.capture != stream.capture) {
        add_fault("a stream that is captured waits for an event of another capture");
        return kCaptureIsolation;
    }
    if (event.capture != nullptr && stream.capture == nullptr) {  // a fork
        stream.capture = event.capture;
        stream.rejoined = false;
        event.capture->members.push_back(&stream);
    } else if (event.capture != nullptr && event.recorded_on != nullptr &&
               event.capture->origin == &stream) {
        event.recorded_on->rejoined = true;
    }
    order_with_legacy(stream);
    checker_.wait(stream.actor, event.clock);
    return kSuccess;
}

void Order::host_learns(const simgpu::VectorClock& clock) {
    if (!check_) return;
    checker_.wait(simgpu::kHost, clock);
    look_at_sources();
}

void Order::look_at_sources() {
    const simgpu::VectorClock known = checker_.record(simgpu::kHost);
    std::erase_if(pending_, [&](const Pending& pending) {
        if (pending.actor >= known.size() || known[pending.actor] < pending.tick) return false;
        look_at(pending);
        return true;
    });
}

void Order::look_at(const Pending& pending) {
    if (hash_of(pending.source) == pending.hash) return;
    add_fault("the host changed page-locked memory while a copy up from it was under way");
}

// Whoever takes the range may change what is there.
void Order::end_sources(simgpu::Range range) {
    const auto begin = reinterpret_cast<const std::byte*>(range.begin);
    const auto end = reinterpret_cast<const std::byte*>(range.end);
    std::erase_if(pending_, [&](const Pending& pending) {
        const bool meets =
            pending.source.data() < end && begin < pending.source.data() + pending.source.size();
        if (meets) look_at(pending);
        return meets;
    });
}

Error Order::host_wait(EventState& event) {
    ++counts_[kEventWaits];
    if (event.capture != nullptr) {
        add_fault("the host waits for an event that was recorded in a capture");
        return kCapturedEvent;
    }
    host_learns(event.clock);
    return kSuccess;
}

Error Order::host_wait(StreamState& stream) {
    ++counts_[kStreamWaits];
    if (stream.capture != nullptr) {
        add_fault("the host waits for a stream that is captured");
        return kCaptureUnsupported;
    }
    order_with_legacy(stream);
    host_learns(checker_.record(stream.actor));
    return kSuccess;
}

void Order::host_wait_device(int device) {
    if (!check_) return;
    const auto wait = [&](const StreamState& stream) {
        if (stream.device == device) host_learns(checker_.record(stream.actor));
    };
    for (const auto& [key, stream] : default_streams_) wait(*stream);
    for (const auto& [key, stream] : streams_) wait(*stream);
}

void Order::host_takes(simgpu::Range range, simgpu::Memory memory, std::string_view why) {
    if (!check_) return;
    const simgpu::Access access{range, true, memory, "memory"};
    for (const simgpu::Fault& fault : checker_.run(simgpu::kHost, why, {&access, 1})) {
        add_fault(fault.text());
    }
    end_sources(range);
}

void Order::allocate(simgpu::Range range) { checker_.allocate(range); }

void Order::release(simgpu::Range range) { checker_.release(range); }

Error Order::begin_capture(StreamState& stream, int mode) {
    if (stream.legacy || stream.capture != nullptr) {
        add_fault(stream.legacy ? "the legacy stream is captured"
                                : "a stream is captured twice at a time");
        return kCaptureUnsupported;
    }
    captures_.push_back(std::make_unique<Capture>(Capture{&stream, mode, {}, {&stream}}));
    stream.capture = captures_.back().get();
    stream.rejoined = true;
    return kSuccess;
}

Error Order::end_capture(StreamState& stream, Graph* graph) {
    Capture* capture = stream.capture;
    if (capture == nullptr || capture->origin != &stream) {
        add_fault("a capture ends on a stream on which none began");
        return kCaptureUnmatched;
    }
    const bool joined =
        std::ranges::all_of(capture->members, [](const StreamState* s) { return s->rejoined; });
    for (StreamState* member : capture->members) member->capture = nullptr;
    GraphState state{std::move(capture->operations), stream.device, 0, false};
    for (auto& [key, event] : events_) {
        if (event->capture == capture) *event = EventState{event->device, {}, nullptr, nullptr};
    }
    std::erase_if(captures_, [&](const auto& one) { return one.get() == capture; });
    if (!joined) {
        add_fault("a capture ends before it has waited for the streams that it forked");
        return kCaptureUnjoined;
    }
    *graph = make_graph(std::move(state));
    ++counts_[kCaptures];
    return kSuccess;
}

void Order::unsafe_call(std::string_view name) {
    const bool restricted = std::ranges::any_of(
        captures_, [](const auto& one) { return one->mode != kCaptureRelaxed; });
    if (restricted)
        add_fault(std::string(name) + " is called while a restricted capture is under way");
}

GraphState* Order::graph_of(Graph handle) const { return find(graphs_, handle); }

Graph Order::make_graph(GraphState graph) {
    return keep(graphs_, std::make_unique<GraphState>(std::move(graph)));
}

Error Order::drop_graph(Graph handle) {
    return graphs_.erase(handle) == 1 ? kSuccess : kInvalidHandle;
}

void Order::launch(StreamState& stream, const GraphState& graph) {
    ++counts_[kGraphLaunches];
    if (stream.capture != nullptr) return add_fault("a graph is launched into a capture");
    for (const Operation& operation : graph.operations) perform(stream, operation);
}

}  // namespace pshard::fakecuda
