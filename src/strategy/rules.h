// The strategies: a row for each, and a file that says what it means.
//
// P is the set of pinned layers: the first n_pinned, or the last with pin_from_back. [S11]
//
//   file            layer in P   other layers                        their KV
//   layer_stream    all GPU      all streamed                        streamed
//   ffn_stream      all GPU      attention GPU, FFN streamed         GPU
//   ffn_cpu         all GPU      attention streamed, FFN CPU         streamed
//   attn_prio       all GPU      n_attn_pinned: attention GPU, FFN   GPU; CPU beyond
//                                CPU; the others all CPU
//   stock_fit       all GPU      last n_attn_pinned: all but the     GPU; CPU before
//                                routed experts GPU; the others CPU
//
// token_embd is always on the CPU; the output head and norm are where output_on_gpu says.
//
// A new strategy is a file that defines a StrategyRule, and a row in rules.cpp. Its id is the next
// number; it needs an enumerator in Strategy only where another module speaks of it.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "inventory/inventory.h"
#include "plan/choice.h"
#include "strategy/layer_split.h"

namespace pshard {

// What a strategy may ask of the planner: bytes, never seconds.
struct Sizing {
    std::function<Bytes(const PlanChoice&)> bytes;  // on the device
    Bytes budget = 0;

    bool fits(const PlanChoice& choice) const { return bytes(choice) <= budget; }
};

struct StrategyRule {
    std::string_view name;  // in registries and PSHARD_STRATEGY
    Strategy id{};
    // The published reader knows it; plans of others stand in pshard lines of a registry.
    bool is_published = false;
    bool is_static = false;  // moves nothing while a graph runs
    bool slices = false;     // streams FFNs, so routed experts may be uploaded in slices
    bool is_fixed = false;   // what it proposes is all there is; else search tries more counts
    LayerSplit (*lanes)(const PlanChoice& choice, const LayerPlace& at) = nullptr;
    // Choices that fit, without repetition; empty if the strategy cannot fit at all.
    std::vector<PlanChoice> (*propose)(const Inventory& inventory, const Sizing& sizing) = nullptr;
};

// All strategies by id: strategy_rules()[id].
std::span<const StrategyRule* const> strategy_rules();

const StrategyRule& rule_of(Strategy strategy);

std::string_view strategy_name(Strategy strategy);  // "GPUONLY_LAYERPIN_LAYERSTREAM", ...
int strategy_id(Strategy strategy);

// The whole model on the GPU. STATIC_FITPARAMS stands for stock llama.cpp's -ngl all.
PlanChoice everything_resident(int n_layers, Strategy strategy = Strategy::StaticFitParams);

// The strategy of that name, or of that id in decimal; nullopt for anything else.
std::optional<Strategy> strategy_of(std::string_view name_or_id);

}  // namespace pshard
