#include "inventory/weight_class.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace pshard {
namespace {

bool consume(std::string_view& text, std::string_view prefix) {
    if (!text.starts_with(prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
}

bool is_routed_part(std::string_view part) {
    static constexpr std::array kNames = {"up_exps",
                                          "down_exps",
                                          "gate_exps",
                                          "gate_up_exps",
                                          "up_chexps",
                                          "down_chexps",
                                          "gate_chexps",
                                          "gate_up_chexps"};
    return std::ranges::any_of(kNames,
                               [&](std::string_view name) { return part.starts_with(name); });
}

bool is_dense_ffn_part(std::string_view part) {
    return part.starts_with("up.") || part.starts_with("gate.") || part.starts_with("down.");
}

}  // namespace

int layer_of_name(std::string_view name) {
    if (!consume(name, "blk.")) return -1;
    int layer = -1;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), layer);
    const bool well_formed =
        error == std::errc{} && end != name.data() + name.size() && *end == '.';
    return well_formed ? layer : -1;
}

WeightClass classify_weight(std::string_view name) {
    const int layer = layer_of_name(name);
    if (layer < 0) {
        return {-1, name.starts_with("token_embd") ? Side::Input : Side::Output, false};
    }
    name.remove_prefix(4);
    name.remove_prefix(name.find('.') + 1);
    if (!consume(name, "ffn_")) return {layer, Side::Attention, false};
    if (is_routed_part(name)) return {layer, Side::Ffn, true};
    return {layer, is_dense_ffn_part(name) ? Side::Ffn : Side::Attention, false};
}

}  // namespace pshard
