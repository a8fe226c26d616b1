// Finds the best static plan: one that flags can tell today's stock llama.cpp.
//
// In: a context, the batch sizes that may be its ubatch, a budget, a machine and a workload. Out:
// the ubatch, the placement as -ngl and -ot, and what they are expected to take.
//
// Stock has one placement for all batches and one ubatch, so prompts and answers share both. The
// model is captured anew for each ubatch, whose size decides the KV cache of sliding windows. Then
// all that the static strategies propose and flags can say (-ngl and -ot) is priced, with and
// without op-offload:
//
//   seconds = prompt * sequences / ubatch passes of a ubatch + answer passes of one token
//
// where those of a prompt run behind each other (plan/pass_times.h). Plans of one ubatch are told
// apart by passes at the depth alone.
//
//   ubatch   512    1024    2048      each: propose -> evaluate -> the fastest, within its budget
//              \      |      /
//               256, 128, ... 16 while they may be faster (may_pay_below(), planner/workload.h)
//                     |
//               the fastest of all -> llama.cpp is asked what it takes -> fits: done
//                     ^                                                    else:
//                     +------ that ubatch is searched again in a budget smaller by the excess
//
// A ubatch is left out where what drafts beside it, and ggml-cuda's pool (ops/cuda_pool.h), take
// the whole budget.
//
// The traps: llama.cpp's allocator leaves holes where ours packs, so a plan that fits by our sums
// may not fit in llama.cpp, and only its own no-alloc figures decide. The passes of the answer are
// those of the smallest tier that holds a token of each sequence, not of one token. Without a
// profile nothing has a time, and the plan that keeps most on the GPU wins.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "planner/workload.h"
#include "strategy/stock_args.h"

namespace pshard {

// A plan that stock can run, and what it is expected to take.
struct StaticPlan {
    Candidate prompt;  // in the graph of a ubatch
    PassTimes times;   // of it; not known: all passes are as at the depth
    std::optional<Prediction> generation;
    StockArgs args;
    std::uint32_t n_ubatch = 0;
    bool op_offload = true;

    // nullopt: the plan has no predictions.
    [[nodiscard]] std::optional<Seconds> prompt_seconds(const Workload& work) const;
    [[nodiscard]] std::optional<Seconds> seconds(const Workload& work) const;
};

struct StaticWish {
    ContextSpec context;               // its ubatch is searched for
    std::vector<std::uint32_t> tiers;  // ascending: the batch sizes that may be a ubatch
    std::uint32_t largest_batch = 0;   // tokens: what llama.cpp's -b holds
    const MachineProfile* profile = nullptr;
    HostLimits host;
    std::uint32_t depth_tokens = 0;
    Bytes budget = 0;
    Workload work;
};

// How llama.cpp is asked about the model.
struct StockModel {
    // The graphs of those batches (ascending), in a context with that ubatch.
    std::function<Result<Inventory>(std::uint32_t n_ubatch,
                                    const std::vector<std::uint32_t>& tiers)>
        capture;
    // What stock llama.cpp takes of the device with that plan.
    std::function<Result<DeviceUse>(const Inventory& inventory, const StaticPlan& plan)> memory;
    // What drafts beside it in such a ubatch takes of the budget; may be empty: nothing drafts.
    std::function<Result<Bytes>(std::uint32_t n_ubatch)> drafting{};
    // Makes what is told of the ubatches that are searched, and shows it while it lives; may be
    // empty.
    std::function<OnProgress()> show_search{};
    // What was packed for other problems of the model.
    std::shared_ptr<PackingMemo> packed = std::make_shared<PackingMemo>();
};

// The plan with the memory that llama.cpp tells.
struct StaticFound {
    Inventory inventory;
    StaticPlan plan;
};

// No static plan fits. Where only the host's memory is too small for one: the plan that needs
// least.
struct NoStaticPlan {
    std::optional<HostUse> least_need{};
    Inventory inventory{};  // of that plan
};

// Fails where the model cannot be asked.
Result<std::variant<StaticFound, NoStaticPlan>> find_static_plan(const StaticWish& wish,
                                                                 const StockModel& model);

}  // namespace pshard
