// Whether operations on streams are ordered as their memory needs it, by what was issued and not by
// what happened to run first. Pure: no clock, no threads, no ggml.
//
// Actors: the host (0) and each queue. Each has a vector clock: of every actor, how many of its
// operations are known to be through. An operation takes over what the host knows when it is issued
// (issuing is an order too) and what its queue knows. Then
//
//   record + wait     carry a queue's clock to another queue, or to the host (synchronize)
//   operation         is ordered after another, if its clock has come to the other's tick
//
//   host    set x --issue--+                          wait(host, e)   get y   fine
//   queue 1                +-> writes y -> record e --^
//   queue 2                      reads y               a fault: nothing waited for queue 1
//
// Faults: a read of bytes that nobody wrote since they were allocated; a read not ordered after the
// last write; a write not ordered after the last write and all reads since; memory that is not the
// device's. Ordering marks fall away once the host knows of them, as every later operation does
// too.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "simgpu/segment_map.h"

namespace pshard::simgpu {

using Actor = std::uint32_t;

constexpr Actor kHost = 0;

using VectorClock = std::vector<std::uint64_t>;  // by actor; what is missing is 0

enum class Memory { Device, Host };  // host memory counts as written and as nobody's allocation

struct Access {
    Range range;
    bool writes = false;
    Memory memory = Memory::Device;
    std::string_view tensor{};
    bool needs_all = true;  // a read: of bytes that must all have been written
    bool may_race = false;  // a write that may overtake what came before
};

enum class FaultKind {
    NotDeviceMemory,
    NeverWritten,
    ReadTooEarly,
    OverwritesWrite,
    OverwritesRead,
    LockedForReading,
    FusedOverwrite,  // see fusion.h
    SharedStream     // see watch.h; of no bytes
};

struct Fault {
    FaultKind kind = FaultKind::NotDeviceMemory;
    Range range;            // the bytes at fault
    std::string operation;  // "MUL_MAT ffn_out-0 on queue 1"
    std::string tensor;     // the operand
    std::string other;      // the other operation; empty: there is none

    [[nodiscard]] std::string text() const;
};

class Checker {
public:
    Checker() : clocks_(1, VectorClock(1, 0)) {}

    Actor add_queue();
    void drop_queue(Actor queue);  // after it was waited for

    void allocate(Range range);
    void release(Range range);

    // One operation and all that it touches. Its own accesses are in order. One fault of a kind at
    // most for each tensor; what it says is noted nevertheless, so that one fault does not make the
    // next.
    std::vector<Fault> run(Actor actor,
                           std::string_view operation,
                           std::span<const Access> accesses);

    // Bytes of the range that were never written, in pieces.
    [[nodiscard]] std::vector<Range> never_written(Range range);

    [[nodiscard]] VectorClock record(Actor actor) const { return clocks_[actor]; }

    void wait(Actor actor, const VectorClock& event);

    [[nodiscard]] std::size_t n_segments() const { return device_.size() + host_.size(); }

private:
    struct Operation {
        Actor actor;
        std::string_view name;
        Mark mark;
    };

    void read(const Operation& operation, const Access& access, std::vector<Fault>& faults);
    void write(const Operation& operation, const Access& access, std::vector<Fault>& faults);
    [[nodiscard]] bool ordered(const Mark& before, Actor actor) const;
    [[nodiscard]] Fault fault(FaultKind kind,
                              Range range,
                              const Operation& operation,
                              const Access& access,
                              const Mark& other) const;
    std::uint32_t label_of(std::string_view operation);
    SegmentMap::Span span_of(const Operation& operation,
                             const Access& access,
                             std::vector<Fault>& faults);

    std::vector<VectorClock> clocks_;  // by actor
    std::vector<Actor> unused_;
    SegmentMap device_;
    SegmentMap host_;
    std::vector<std::string> labels_;
    std::unordered_map<std::string, std::uint32_t> label_numbers_;
};

}  // namespace pshard::simgpu
