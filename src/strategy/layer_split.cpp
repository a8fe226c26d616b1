#include "strategy/layer_split.h"

#include <array>

namespace pshard {
namespace {

// Whether the weight's name goes on so after "blk.N.ffn_".
bool is_ffn_named(const Weight& weight, std::string_view begin) {
    const std::string_view name = weight.name;
    const std::size_t at = name.find(".ffn_");
    return at != std::string_view::npos && name.substr(at + 5).starts_with(begin);
}

bool is_down(const Weight& weight) { return is_ffn_named(weight, "down"); }

bool is_gate_or_down(const Weight& weight) {
    return is_ffn_named(weight, "gate") || is_down(weight);
}

bool is_up_gate_or_down(const Weight& weight) {
    return is_ffn_named(weight, "up") || is_gate_or_down(weight);
}

bool is_routed(const Weight& weight) { return weight.routed; }

bool is_ffn_side(const Weight& weight) { return weight.side == Side::Ffn; }

constexpr LayerPart kUpGateDown{is_up_gate_or_down, "ffn_(up|gate|down).*"};
constexpr LayerPart kGateDown{is_gate_or_down, "ffn_(gate|down).*"};
constexpr LayerPart kDown{is_down, "ffn_down.*"};

// The part that each Overflow leaves out.
constexpr std::array<const LayerPart*, 5> kLeftOut = {
    nullptr, &kUpGateDown, &kGateDown, &kDown, &kExpertsPart};

}  // namespace

const LayerPart kFfnPart{is_ffn_side,
                         R"(ffn_((up|gate|down)\.|(up|down|gate|gate_up)_(ch|)exps).*)"};
const LayerPart kExpertsPart{is_routed, "ffn_(up|down|gate|gate_up)_(ch|)exps"};

int pin_rank(const PlanChoice& choice, const LayerPlace& at) {
    return choice.pin_from_back ? at.n_layers - 1 - at.layer : at.layer;
}

std::optional<LayerSplit> pinned_lanes(const PlanChoice& choice, int rank, Lane left_out) {
    if (rank < choice.n_pinned) return whole_layer(Lane::Gpu);
    if (rank > choice.n_pinned || choice.overflow == Overflow::None) return std::nullopt;
    return LayerSplit{Lane::Gpu, left_out, kLeftOut[static_cast<std::size_t>(choice.overflow)]};
}

}  // namespace pshard
