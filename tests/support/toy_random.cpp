#include <algorithm>
#include <array>
#include <random>
#include <string>

#include "plan/idle_weights.h"
#include "support/graph_maker.h"
#include "support/toy_models.h"

namespace pshard {
namespace {

// Draws, the same on every machine: std's distributions are not.
class Dice {
public:
    explicit Dice(std::uint64_t seed) : engine_(seed) {}

    int below(int n) { return static_cast<int>(engine_() % static_cast<std::uint64_t>(n)); }

    bool one_in(int n) { return below(n) == 0; }

    template <typename Values>
    const auto& pick(const Values& values) {
        return values[static_cast<std::size_t>(below(static_cast<int>(values.size())))];
    }

private:
    std::mt19937_64 engine_;
};

// A layer is a run of nodes that alone read the layer's weights and states.
class RandomModel {
public:
    explicit RandomModel(std::uint64_t seed) : dice_(seed) {
        inventory_.device = {"toy", dice_.one_in(2) ? Bytes{1} : Bytes{8}, ~Bytes{0}};
        inventory_.model_name = inventory_.architecture = "random";
        inventory_.n_layers = 1 + dice_.below(5);
        graph_.n_tokens = dice_.one_in(2) ? 4 : 64;
        graph_.n_seqs = graph_.n_outputs = 1;
    }

    Inventory build() {
        add_weight(inventory_, "token_embd.weight", "f16", {2, 4, 1, 1});
        add_weight(inventory_, "output.weight", "f16", {2, 4, 1, 1});
        for (int layer = 0; layer < inventory_.n_layers; layer++) add_layer_tensors(layer);
        GraphMaker make(inventory_, graph_);
        for (int i = 0; i < 3; i++)
            make.input(
                ("input-" + std::to_string(i)).c_str(), "f32", {2, 1 + dice_.below(4), 1, 1});
        const Ref embd = make.weight("token_embd.weight");
        values_.push_back(make.node("GET_ROWS", "embd", -1, draw_shape(), {embd, draw_input()}));
        for (int layer = 0; layer < inventory_.n_layers; layer++) {
            const int n_nodes = 3 + dice_.below(10);
            for (int i = 0; i < n_nodes; i++) add_node(make, layer);
        }
        make.node(
            "MUL_MAT", "result", -1, {4, 1, 1, 1}, {make.weight("output.weight"), values_.back()});
        make.mark_output();
        inventory_.graphs.push_back(graph_);
        return inventory_;
    }

private:
    void add_layer_tensors(int layer) {
        const std::string prefix = "blk." + std::to_string(layer) + ".";
        for (const char* part : {"attn_q", "attn_output", "ffn_up", "ffn_down"}) {
            add_weight(inventory_, prefix + part + ".weight", "f16", {2, 1 + dice_.below(6), 1, 1});
        }
        const Shape cells{2, 1 + dice_.below(8), 1, 1};
        add_state(inventory_, "cache_k_l", layer, cells, StateKind::Kv);
    }

    Shape draw_shape() { return {2, 1 + dice_.below(4), 1, 1}; }

    Ref draw_input() { return {Ref::Kind::Input, dice_.below(3)}; }

    // Mostly one of the last few, at times one of long ago.
    Ref draw_value() {
        const int n = static_cast<int>(values_.size());
        const int back = dice_.one_in(5) ? dice_.below(n) : dice_.below(std::min(n, 4));
        return values_[static_cast<std::size_t>(n - 1 - back)];
    }

    const Node& node_of(Ref ref) const { return graph_.nodes[static_cast<std::size_t>(ref.index)]; }

    std::string next_name(int layer) const {
        return "n" + std::to_string(graph_.nodes.size()) + "-" + std::to_string(layer);
    }

    void add_node(GraphMaker& make, int layer) {
        switch (dice_.below(8)) {
            case 0:
            case 1:
                add_matmul(make, layer);
                break;
            case 2:
                add_elementwise(make, layer);
                break;
            case 3:
                add_state_use(make, layer);
                break;
            case 4:
                add_view(make, layer);
                break;
            case 5:
                add_in_place(make, layer);
                break;
            default:
                add_mix(make, layer);
                break;
        }
        Node& made = graph_.nodes.back();
        if (!made.has_storage && dice_.one_in(12)) made.device_supports = false;
        if (!made.has_storage && dice_.one_in(15)) made.is_output = true;
    }

    void add_matmul(GraphMaker& make, int layer) {
        static constexpr std::array kParts = {
            "attn_q.weight", "attn_output.weight", "ffn_up.weight", "ffn_down.weight"};
        const Ref weight = make.layer_weight(layer, dice_.pick(kParts));
        const Shape rows{2, dice_.one_in(2) ? 1 + dice_.below(4) : 32, 1, 1};
        values_.push_back(
            make.node("MUL_MAT", next_name(layer), layer, rows, {weight, draw_value()}));
    }

    void add_elementwise(GraphMaker& make, int layer) {
        const Ref a = draw_value();
        const Shape shape = node_of(a).shape;
        const Ref b = draw_value();
        const bool pair = node_of(b).shape == shape;
        const std::vector<Ref> sources = pair ? std::vector{a, b} : std::vector{a};
        values_.push_back(
            make.node(pair ? "ADD" : "SILU", next_name(layer), layer, shape, sources));
    }

    void add_mix(GraphMaker& make, int layer) {
        std::vector<Ref> sources{draw_value()};
        if (dice_.one_in(2)) sources.push_back(draw_value());
        if (dice_.one_in(3)) sources.push_back(draw_input());
        values_.push_back(make.node("CONCAT", next_name(layer), layer, draw_shape(), sources));
    }

    void add_view(GraphMaker& make, int layer) {
        const Ref of = draw_value();
        values_.push_back(make.view("VIEW", next_name(layer), layer, node_of(of).shape, of));
    }

    // A value, and at once a write into its memory.
    void add_in_place(GraphMaker& make, int layer) {
        const Ref part = draw_value();
        const Ref whole = make.node("CONT", next_name(layer), layer, draw_shape(), {draw_value()});
        const Shape shape = node_of(whole).shape;
        const Ref written = make.view("SET", next_name(layer), layer, shape, whole);
        graph_.nodes.back().is_view = false;
        graph_.nodes.back().sources.push_back(part);
        values_.push_back(written);
    }

    void add_state_use(GraphMaker& make, int layer) {
        const Ref state = make.state("cache_k_l", layer);
        if (dice_.one_in(2)) make.write("SET_ROWS", next_name(layer), layer, {draw_value()}, state);
        const Shape shape = inventory_.states[static_cast<std::size_t>(state.index)].shape;
        const Ref view = make.view("VIEW", next_name(layer), layer, shape, state);
        values_.push_back(make.node(
            "FLASH_ATTN_EXT", next_name(layer), layer, draw_shape(), {draw_value(), view}));
    }

    Dice dice_;
    Inventory inventory_;
    Graph graph_;
    std::vector<Ref> values_;  // nodes that later ones may read
};

constexpr std::array kAllLanes = {Lane::Gpu, Lane::ShardA, Lane::ShardB, Lane::Cpu};

Lane draw_lane(Dice& dice, int layer) {
    const Lane lane = dice.pick(kAllLanes);
    if (!is_streamed(lane)) return lane;
    return layer % 2 == 0 ? Lane::ShardA : Lane::ShardB;
}

void draw_sides(Placement& placement, const Inventory& inventory, Dice& dice) {
    for (int layer = 0; layer < inventory.n_layers; layer++) {
        place_side(placement, inventory, layer, Side::Attention, draw_lane(dice, layer));
        place_side(placement, inventory, layer, Side::Ffn, draw_lane(dice, layer));
    }
    place_side(placement, inventory, -1, Side::Output, dice.one_in(2) ? Lane::Gpu : Lane::Cpu);
}

void draw_weights(Placement& placement, const Inventory& inventory, Dice& dice) {
    for (Lane& lane : placement.weights) lane = dice.pick(kAllLanes);
    for (std::size_t i = 0; i < inventory.states.size(); i++) {
        const auto first = std::find_if(
            inventory.weights.begin(), inventory.weights.end(), [&](const Weight& weight) {
                return weight.layer == inventory.states[i].layer && weight.side == Side::Attention;
            });
        placement.states[i] =
            placement.weights[static_cast<std::size_t>(first - inventory.weights.begin())];
    }
}

// States and weights that the CPU alone reads, because the device does not support the node. A
// weight that the device reads too has a host master.
void keep_unsupported_on_cpu(Placement& placement, const Inventory& inventory) {
    for (const Graph& graph : inventory.graphs) {
        const std::vector<bool> idle = idle_weights(inventory, graph);
        for (std::size_t i = 0; i < idle.size(); ++i) {
            if (idle[i]) placement.weights[i] = Lane::Cpu;
        }
        for (const Node& node : graph.nodes) {
            if (node.device_supports) continue;
            for (const Ref& source : node.sources) {
                const auto index = static_cast<std::size_t>(source.index);
                if (source.kind == Ref::Kind::State) placement.states[index] = Lane::Cpu;
            }
        }
    }
}

}  // namespace

Inventory random_model(std::uint64_t seed) { return RandomModel(seed).build(); }

Placement random_placement(const Inventory& inventory, Draw draw, std::uint64_t seed) {
    Dice dice(seed);
    Placement placement = uniform_placement(inventory, Lane::Cpu);
    if (draw == Draw::Sides) {
        draw_sides(placement, inventory, dice);
    } else {
        draw_weights(placement, inventory, dice);
    }
    placement.weights[static_cast<std::size_t>(weight_index(inventory, "token_embd.weight"))] =
        Lane::Cpu;
    keep_unsupported_on_cpu(placement, inventory);
    return placement;
}

}  // namespace pshard
