// A graph made ready to run by a plan: what ggml is called with in each step of the schedule.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include <ggml-backend.h>
#include <ggml-impl.h>

#include "plan/schedule.h"
#include "runtime/copies.h"
#include "runtime/host_buffer.h"
#include "runtime/mark_use.h"
#include "runtime/shadows.h"

namespace pshard {

// Bytes that lie at one place on the device and at one in host memory.
struct Span {
    ggml_tensor* device = nullptr;  // as plain bytes
    std::byte* host = nullptr;
    Bytes bytes = 0;
};

// A value that a stage reads from the other device.
struct Bring {
    Span span;
    bool to_device = true;
    bool is_input = false;  // it lies in llama.cpp's memory, no scratch of the CPU's
};

struct StageWork {
    Device device = Device::Gpu;
    std::vector<Bring> brings;
    std::vector<ggml_tensor*> nodes;  // behind the graph's, some that are empty
    ggml_cgraph graph{};              // of `nodes`; without nodes nothing is computed
};

// Rows of a state that a node of the pass writes. An input of the host names them.
struct WrittenRows {
    const ggml_tensor* indices = nullptr;  // in host memory; nullptr: the whole span is written
    Bytes first = 0;                       // where row 0 begins in the state
    Bytes row_bytes = 0;
    Bytes stride = 0;
    std::int64_t n_rows = 0;
};

struct StateStore {
    SlotPiece state;  // all of it
    WrittenRows rows;
};

// Experts that are uploaded on demand: those that the ids name.
struct ExpertLoad {
    SlotPiece weight;  // all experts
    std::int64_t n_experts = 0;
    ggml_tensor* ids = nullptr;  // shadow on the device
};

struct GroupWork {
    ggml_tensor* slot = nullptr;   // all of the group's, as plain bytes
    std::vector<SlotPiece> loads;  // ascending; zeroes where kernels may read padding
    std::vector<ExpertLoad> expert_loads;
    std::vector<StateStore> stores;
};

// A value that outlives the pass, and llama.cpp's address for it.
struct Outlet {
    const ggml_tensor* root = nullptr;
    Span span;  // on the device; if `device` is nullptr, `host_value` has it
    std::byte* host_value = nullptr;
    bool at_once = false;  // fetched at once; else when it is asked for
};

struct HashSetDeleter {
    void operator()(ggml_hash_set* set) const {
        ggml_hash_set_free(set);
        delete set;
    }
};

struct Program {
    StageCut cut;
    Schedule schedule;
    std::vector<StageWork> stages;
    std::vector<GroupWork> groups;  // by cut.groups
    std::vector<MarkUse> marks;     // by step of the schedule; the executor fills them in
    std::vector<Outlet> outlets;

    // What the fields above point into.
    std::deque<ggml_tensor> tensors;
    std::unique_ptr<ggml_backend_buffer> weights_buffer;
    std::vector<std::int32_t> use_counts;
    std::unique_ptr<ggml_hash_set, HashSetDeleter> visited;
    std::shared_ptr<HostBuffer> cpu_scratch;
};

// Fails if the plan leaves out something that the graph needs; the Error names it.
Result<std::unique_ptr<Program>> compile(const PlacedGraph& graph, const Memories& memories);

}  // namespace pshard
