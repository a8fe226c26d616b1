// What an engine is given, and what it reports of each pass.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "plan/lowered.h"
#include "plan/step_labels.h"
#include "runtime/executor.h"
#include "runtime/orders.h"

namespace pshard {

// What a pass did and when, for those who asked for it.
struct PassRecord {
    std::uint32_t n_tokens = 0;
    TierKey tier;
    const std::string& plan;     // TierOrder::text
    const std::string& weights;  // Orders::weights
    const Schedule& schedule;
    const std::vector<StepLabel>& labels;
    const MeasuredPass& measured;
};

struct EngineSetup {
    ggml_backend_dev_t gpu = nullptr;  // inner devices
    ggml_backend_dev_t cpu = nullptr;
    Bytes budget = 0;              // device bytes for all arenas
    bool budget_is_given = false;  // by the user; else the plans' budgets are what was agreed
    Bytes page_lock_limit = 0;     // host bytes that may be locked for uploads
    OrderGiver orders;
    // The bytes that plans may take of so many that are free, where the device refuses an arena:
    // orders are asked for anew. Empty: they are not.
    std::function<Bytes(Bytes free)> room{};
    Log log;
    Log progress{};  // what is going on, where it takes more than a second; empty: nobody listens
    Chaos chaos;
    int replan_every = 0;  // graphs; 0: never. For tests of plan switches.
    std::function<void(const PassRecord&)> on_pass{};  // none: passes are not timed
    Log tell_rates{};  // hears once what a model's passes reach; empty: nobody asks
    // Checks a pass before its first run; an Error refuses it. Empty: plans are believed.
    std::function<Status(const GraphView&, const Lowered&, const TierArena&)> check_pass{};
};

}  // namespace pshard
