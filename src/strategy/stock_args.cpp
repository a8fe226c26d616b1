// Says a static plan in flags of stock llama.cpp.
//
// In: a choice of a static strategy. Out: -ngl N and patterns for -ot, or nothing.
//
//   -ngl N         puts the head and the last N - 1 layers on the GPU, each layer with its KV
//   -ot P=CPU      takes the weights whose names match P back to the CPU; their KV stays
//
//   layer          0     1     2     3     head
//   wanted         CPU   attn  attn  all   GPU        N = 4: layers 1 to 3 and the head
//   -ot                  ffn   ffn                    the FFNs of layers 1 and 2 go back
//
// N follows from the layers whose KV is on the GPU. Each weight is then compared: where -ngl alone
// would put it, and where the plan wants it. Weights to take back are grouped by what follows the
// layer's number, so that few patterns name them all (number_patterns.h).
//
// Weights that the device has no use for (plan/idle_weights.h) are taken back, too: -ngl alone
// would let stock's scheduler copy them to the CPU in every pass.
//
// Traps: layers that llama.cpp does not load (MTP) still count in -ngl. A head that is tied to the
// token embeddings cannot be moved alone. If the plan wants a weight on the GPU whose
// layer -ngl leaves on the CPU, there are no flags: -ot could bring the weight, but not the KV.
#include "strategy/stock_args.h"

#include <map>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "plan/idle_weights.h"
#include "strategy/expand.h"
#include "strategy/number_patterns.h"
#include "strategy/rules.h"

namespace pshard {
namespace {

bool pins_as_ngl_does(const Inventory& inventory, const PlanChoice& choice) {
    const bool all_kv = choice.n_attn_pinned == inventory.n_layers;
    const bool no_kv = choice.n_attn_pinned == 0;
    return rule_of(choice.strategy).is_static && (all_kv || no_kv || choice.pin_from_back);
}

// Dots are [.]: xargs eats backslashes, and a bare dot would match any character.
std::string escaped(std::string_view name) {
    std::string pattern;
    for (const char c : name) pattern += c == '.' ? std::string("[.]") : std::string(1, c);
    return pattern;
}

// Makes few anchored patterns of the weights to move: llama.cpp compiles each once per tensor.
//     ^blk[.][3-5][.]ffn_down[.]weight$
class PatternMaker {
public:
    void add(const Weight& weight) {
        if (weight.layer < 0) {
            patterns_.push_back(fmt::format("^{}$", escaped(weight.name)));
            return;
        }
        const std::string prefix = fmt::format("blk.{}.", weight.layer);
        layers_[weight.name.substr(prefix.size())].insert(weight.layer);
    }

    std::vector<std::string> run() {
        for (const auto& [part, layers] : layers_) {
            for (const std::string& number : number_patterns(layers)) {
                patterns_.push_back(fmt::format("^blk[.]{}[.]{}$", number, escaped(part)));
            }
        }
        return std::move(patterns_);
    }

private:
    std::vector<std::string> patterns_;
    std::map<std::string, std::set<int>> layers_;  // by the part of the name after the layer
};

// Whether llama.cpp would have the weight on the GPU by -ngl alone.
bool on_gpu_by_ngl(const Inventory& inventory, const Weight& weight, int n_gpu_layers) {
    if (weight.side == Side::Input) return false;
    const int n_layers = inventory.n_layers + inventory.n_layers_unloaded;
    const int from_back = weight.layer < 0 ? 1 : n_layers - weight.layer + 1;
    return from_back <= n_gpu_layers;
}

}  // namespace

std::optional<StockArgs> stock_args(const Inventory& inventory, const PlanChoice& choice) {
    if (!pins_as_ngl_does(inventory, choice)) return std::nullopt;
    StockArgs args;
    const bool any = choice.output_on_gpu || choice.n_attn_pinned > 0;
    args.n_gpu_layers = any ? choice.n_attn_pinned + inventory.n_layers_unloaded + 1 : 0;
    const Placement placement = expand(inventory, choice, {idle_weights(inventory), {}});
    PatternMaker patterns;
    for (std::size_t i = 0; i < inventory.weights.size(); ++i) {
        const Weight& weight = inventory.weights[i];
        const bool by_ngl = on_gpu_by_ngl(inventory, weight, args.n_gpu_layers);
        const bool wanted = placement.weights[i] == Lane::Gpu;
        // -ot sees a tied head as the token embeddings, and so cannot move it alone.
        if (by_ngl && !wanted && weight.name == "output.weight" && inventory.head_is_tied) {
            return std::nullopt;
        }
        if (by_ngl && !wanted) patterns.add(weight);
        // -ot could also bring a weight to the GPU, but not the KV of its layer.
        if (!by_ngl && wanted && weight.layer >= 0) return std::nullopt;
    }
    args.cpu_patterns = patterns.run();
    return args;
}

}  // namespace pshard
