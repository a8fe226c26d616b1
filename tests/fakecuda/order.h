// Streams, events, captures and graphs: in what order operations are, by what was issued, and
// whether their memory needs another. Operations are done when they are issued; their order is kept
// as vector clocks by simgpu/checker.h, which tells races that a run did not happen to lose.
//
//   host waits     are one clock for all threads: what any thread has waited for is over, for what
//   anyone issues next legacy stream  is ordered with all streams that are not non-blocking, both
//   ways, as CUDA has it capture        operations are kept, and performed at each launch of the
//   graph, on the stream of the launch
//
// A copy from page-locked memory reads it later: the bytes are hashed when it is issued and again
// when the host has waited for it; a difference is a fault of the host.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fakecuda/api.h"
#include "fakecuda/counters.h"
#include "simgpu/checker.h"

namespace pshard::fakecuda {

struct Operation {
    std::string_view name{};  // of static storage
    Count count = kKernels;
    Count bytes_count = kCounts;  // kCounts: none
    std::uint64_t bytes = 0;
    std::vector<simgpu::Access> accesses{};
    std::span<const std::byte> source{};  // page-locked bytes that it reads later
};

struct Capture;

struct StreamState {
    int device = 0;
    bool blocking = false;  // ordered with the legacy stream
    bool legacy = false;
    simgpu::Actor actor = 0;
    Capture* capture = nullptr;
    bool rejoined = true;  // a fork of a capture: the origin has waited for all of it
};

struct EventState {
    int device = 0;
    simgpu::VectorClock clock{};
    Capture* capture = nullptr;  // recorded in it
    StreamState* recorded_on = nullptr;
};

struct Capture {
    StreamState* origin = nullptr;
    int mode = kCaptureRelaxed;
    std::vector<Operation> operations{};
    std::vector<StreamState*> members{};
};

struct GraphState {
    std::vector<Operation> operations{};
    int device = 0;         // of an instantiated one
    std::size_t bytes = 0;  // that it takes there
    bool instantiated = false;
};

class Order {
public:
    explicit Order(Counts& counts, bool check = true) : counts_(counts), check_(check) {}

    // The stream of a handle as the thread means it; nullptr: there is none.
    StreamState* stream_of(Stream handle, int device, int thread);
    Stream make_stream(int device, bool blocking);
    Error drop_stream(Stream handle);

    EventState* event_of(Event handle) const;
    Event make_event(int device);
    Error drop_event(Event handle);

    void issue(StreamState& stream, const Operation& operation);
    Error record(EventState& event, StreamState& stream);
    Error queue_wait(StreamState& stream, EventState& event);
    Error host_wait(EventState& event);
    Error host_wait(StreamState& stream);
    void host_wait_device(int device);
    // The host reuses or returns memory: all operations on it must be over.
    void host_takes(simgpu::Range range, simgpu::Memory memory, std::string_view why);

    Error begin_capture(StreamState& stream, int mode);
    Error end_capture(StreamState& stream, Graph* graph);
    // What only an unrestricted capture lets a host call.
    void unsafe_call(std::string_view name);

    GraphState* graph_of(Graph handle) const;
    Graph make_graph(GraphState graph);
    Error drop_graph(Graph handle);
    void launch(StreamState& stream, const GraphState& graph);

    void allocate(simgpu::Range range);
    void release(simgpu::Range range);

    void add_fault(std::string text) { faults_.push_back(std::move(text)); }

    // Those since the last call.
    std::vector<std::string> take_faults() { return std::exchange(faults_, {}); }

    [[nodiscard]] bool checks() const { return check_; }

private:
    struct Pending {
        simgpu::Actor actor = 0;
        std::uint64_t tick = 0;
        std::span<const std::byte> source{};
        std::uint64_t hash = 0;
    };

    void perform(StreamState& stream, const Operation& operation);
    void order_with_legacy(const StreamState& stream);
    void host_learns(const simgpu::VectorClock& clock);
    void look_at_sources();
    void look_at(const Pending& pending);
    void end_sources(simgpu::Range range);

    Counts& counts_;
    bool check_;
    simgpu::Checker checker_{};
    std::map<const void*, std::unique_ptr<StreamState>> streams_{};
    std::map<std::pair<int, int>, std::unique_ptr<StreamState>>
        default_streams_{};  // device, thread; 0: legacy
    std::map<const void*, std::unique_ptr<EventState>> events_{};
    std::map<const void*, std::unique_ptr<GraphState>> graphs_{};
    std::vector<std::unique_ptr<Capture>> captures_{};
    std::vector<Pending> pending_{};
    std::vector<std::string> faults_{};
};

}  // namespace pshard::fakecuda
