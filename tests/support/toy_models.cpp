#include "support/toy_models.h"

#include <algorithm>
#include <string>

#include "base/result.h"
#include "support/graph_maker.h"

namespace pshard {
namespace {

template <typename Tensors>
int index_of(const Tensors& tensors, std::string_view name) {
    const auto found = std::find_if(
        tensors.begin(), tensors.end(), [&](const auto& tensor) { return tensor.name == name; });
    PSHARD_CHECK(found != tensors.end());
    return static_cast<int>(found - tensors.begin());
}

void add_attention_weights(Inventory& inventory, const ToyModel& model, int layer) {
    const std::string prefix = "blk." + std::to_string(layer) + ".";
    const std::int64_t width = model.n_embd;
    add_weight(inventory, prefix + "attn_norm.weight", "f32", {width, 1, 1, 1});
    if (layer < model.n_recurrent) {
        add_weight(inventory, prefix + "ssm_in.weight", "f16", {width, width, 1, 1});
        add_weight(inventory, prefix + "ssm_out.weight", "f16", {width, width, 1, 1});
    } else {
        for (const char* part : {"attn_q", "attn_k", "attn_v", "attn_output"}) {
            add_weight(inventory, prefix + part + ".weight", "f16", {width, width, 1, 1});
        }
        if (model.sinks) add_weight(inventory, prefix + "attn_sinks.weight", "f32", {1, 1, 1, 1});
    }
    add_weight(inventory, prefix + "ffn_norm.weight", "f32", {width, 1, 1, 1});
}

void add_ffn_weights(Inventory& inventory, const ToyModel& model, int layer) {
    const std::string prefix = "blk." + std::to_string(layer) + ".ffn_";
    const std::int64_t width = model.n_embd;
    const std::int64_t stack = std::max(model.n_experts, 1);
    const std::string suffix = model.n_experts > 0 ? "_exps.weight" : ".weight";
    if (model.n_experts > 0)
        add_weight(inventory, prefix + "gate_inp.weight", "f32", {width, stack, 1, 1});
    add_weight(inventory, prefix + "gate" + suffix, "f16", {width, model.n_ff, stack, 1});
    add_weight(inventory, prefix + "up" + suffix, "f16", {width, model.n_ff, stack, 1});
    add_weight(inventory, prefix + "down" + suffix, "f16", {model.n_ff, width, stack, 1});
    if (model.n_shared_ff == 0) return;
    add_weight(inventory, prefix + "gate_shexp.weight", "f16", {width, model.n_shared_ff, 1, 1});
    add_weight(inventory, prefix + "up_shexp.weight", "f16", {width, model.n_shared_ff, 1, 1});
    add_weight(inventory, prefix + "down_shexp.weight", "f16", {model.n_shared_ff, width, 1, 1});
}

void add_states(Inventory& inventory, const ToyModel& model, int layer) {
    const Shape cells{model.n_embd, model.n_cells, 1, 1};
    if (layer < model.n_recurrent) {
        const Shape square{model.n_embd, model.n_embd, 1, 1};
        add_state(inventory, "cache_s_l", layer, square, StateKind::Recurrent);
    } else {
        add_state(inventory, "cache_k_l", layer, cells, StateKind::Kv);
        add_state(inventory, "cache_v_l", layer, cells, StateKind::Kv);
    }
}

// The graph of one tier, layer by layer as llama.cpp's build_* functions go.
class ToyGraph {
public:
    ToyGraph(const Inventory& inventory, const ToyModel& model, Graph& graph)
        : model_(model),
          make_(inventory, graph),
          tokens_(graph.n_tokens),
          row_{model.n_embd, tokens_, 1, 1} {}

    void build() {
        add_inputs();
        Ref x = make_.node("GET_ROWS", "embd", -1, row_, {make_.weight("token_embd.weight"), ids_});
        for (int layer = 0; layer < model_.n_layers; layer++) {
            const bool recurrent = layer < model_.n_recurrent;
            x = recurrent ? recurrent_part(x, layer) : attention(x, layer);
            x = feed_forward(x, layer);
        }
        head(x);
    }

private:
    void add_inputs() {
        ids_ = make_.input("inp_tokens", "i32", {tokens_, 1, 1, 1});
        positions_ = make_.input("inp_pos", "i32", {tokens_, 1, 1, 1});
        cells_ = make_.input("self_k_idxs", "i64", {tokens_, 1, 1, 1});
        mask_ = make_.input("self_kq_mask", "f16", {model_.n_cells, tokens_, 1, 1});
        rows_ = make_.input("inp_out_ids", "i32", {make_.graph().n_outputs, 1, 1, 1});
    }

    Ref norm(Ref x, int layer, const char* name, const char* part) {
        const Ref scaled = make_.node("RMS_NORM", layer_name("norm", layer), layer, row_, {x});
        const Ref weight = make_.layer_weight(layer, part);
        return make_.node("MUL", layer_name(name, layer), layer, row_, {scaled, weight});
    }

    Ref matmul(std::string_view name, std::string_view part, int layer, std::int64_t width, Ref x) {
        const Shape shape{width, tokens_, 1, 1};
        const Ref weight = make_.layer_weight(layer, part);
        return make_.node("MUL_MAT", layer_name(name, layer), layer, shape, {weight, x});
    }

    Ref attention(Ref x, int layer) {
        const Ref in = norm(x, layer, "attn_norm", "attn_norm.weight");
        Ref q = matmul("Qcur", "attn_q.weight", layer, model_.n_embd, in);
        q = make_.node("ROPE", layer_name("Qrope", layer), layer, row_, {q, positions_});
        Ref k = matmul("Kcur", "attn_k.weight", layer, model_.n_embd, in);
        k = make_.node("ROPE", layer_name("Krope", layer), layer, row_, {k, positions_});
        const Ref v = matmul("Vcur", "attn_v.weight", layer, model_.n_embd, in);
        const Ref k_state = make_.state("cache_k_l", layer);
        const Ref v_state = make_.state("cache_v_l", layer);
        make_.write("SET_ROWS", layer_name("k_write", layer), layer, {k, cells_}, k_state);
        make_.write("SET_ROWS", layer_name("v_write", layer), layer, {v, cells_}, v_state);
        const Shape all{model_.n_embd, model_.n_cells, 1, 1};
        const Ref keys = make_.view("VIEW", layer_name("keys", layer), layer, all, k_state);
        const Ref values = make_.view("VIEW", layer_name("values", layer), layer, all, v_state);
        std::vector<Ref> sources{q, keys, values, mask_};
        if (model_.sinks) sources.push_back(make_.layer_weight(layer, "attn_sinks.weight"));
        const Ref mixed =
            make_.node("FLASH_ATTN_EXT", layer_name("attn", layer), layer, row_, sources);
        const Ref flat = make_.view("RESHAPE", layer_name("kqv_out", layer), layer, row_, mixed);
        const Ref out = matmul("attn_out", "attn_output.weight", layer, model_.n_embd, flat);
        return make_.node("ADD", layer_name("ffn_inp", layer), layer, row_, {out, x});
    }

    Ref recurrent_part(Ref x, int layer) {
        Ref in = norm(x, layer, "attn_norm", "attn_norm.weight");
        in = matmul("ssm_in", "ssm_in.weight", layer, model_.n_embd, in);
        const Ref state = make_.state("cache_s_l", layer);
        const Shape square{model_.n_embd, model_.n_embd, 1, 1};
        const Ref old = make_.view("VIEW", layer_name("state", layer), layer, square, state);
        const Ref both = make_.node("SSM_SCAN",
                                    layer_name("scan", layer),
                                    layer,
                                    {model_.n_embd, tokens_ + model_.n_embd, 1, 1},
                                    {old, in});
        const Ref next = make_.view("VIEW", layer_name("new_state", layer), layer, square, both);
        make_.write("CPY", layer_name("s_write", layer), layer, {next}, state);
        const Ref y = make_.view("VIEW", layer_name("scanned", layer), layer, row_, both);
        const Ref out = matmul("ssm_out", "ssm_out.weight", layer, model_.n_embd, y);
        return make_.node("ADD", layer_name("ffn_inp", layer), layer, row_, {out, x});
    }

    Ref feed_forward(Ref x, int layer) {
        const Ref in = norm(x, layer, "ffn_norm", "ffn_norm.weight");
        Ref out = model_.n_experts > 0 ? experts(in, layer) : dense_ffn(in, layer, "", model_.n_ff);
        if (model_.n_shared_ff > 0) {
            const Ref shared = dense_ffn(in, layer, "_shexp", model_.n_shared_ff);
            out = make_.node("ADD", layer_name("ffn_both", layer), layer, row_, {out, shared});
        }
        return make_.node("ADD", layer_name("l_out", layer), layer, row_, {out, x});
    }

    Ref dense_ffn(Ref in, int layer, const std::string& suffix, std::int64_t width) {
        const auto part = [&](const char* name, std::int64_t rows, Ref x) {
            return matmul(name + suffix, name + suffix + ".weight", layer, rows, x);
        };
        const Ref gate = part("ffn_gate", width, in);
        const Ref up = part("ffn_up", width, in);
        const Ref act = make_.node("SWIGLU",
                                   layer_name("ffn_act" + suffix, layer),
                                   layer,
                                   {width, tokens_, 1, 1},
                                   {gate, up});
        return part("ffn_down", model_.n_embd, act);
    }

    Ref expert_matmul(const char* name, int layer, std::int64_t width, Ref x, Ref chosen) {
        const Ref weight = make_.layer_weight(layer, std::string(name) + "_exps.weight");
        return make_.node("MUL_MAT_ID",
                          layer_name(name, layer),
                          layer,
                          {width, model_.n_experts_used, tokens_, 1},
                          {weight, x, chosen});
    }

    Ref experts(Ref in, int layer) {
        const Shape scores{model_.n_experts, tokens_, 1, 1};
        const Shape used{model_.n_experts_used, tokens_, 1, 1};
        const Ref logits = matmul("router", "ffn_gate_inp.weight", layer, model_.n_experts, in);
        const Ref odds = make_.node("SOFT_MAX", layer_name("odds", layer), layer, scores, {logits});
        const Ref order = make_.node("ARGSORT", layer_name("order", layer), layer, scores, {odds});
        const Ref chosen = make_.view("VIEW", layer_name("topk", layer), layer, used, order);
        const Ref share =
            make_.node("GET_ROWS", layer_name("share", layer), layer, used, {odds, chosen});
        const Ref gate = expert_matmul("ffn_gate", layer, model_.n_ff, in, chosen);
        const Ref up = expert_matmul("ffn_up", layer, model_.n_ff, in, chosen);
        const Shape inner{model_.n_ff, model_.n_experts_used, tokens_, 1};
        const Ref act =
            make_.node("SWIGLU", layer_name("ffn_act", layer), layer, inner, {gate, up});
        const Ref down = expert_matmul("ffn_down", layer, model_.n_embd, act, chosen);
        const Shape outer{model_.n_embd, model_.n_experts_used, tokens_, 1};
        const Ref scaled =
            make_.node("MUL", layer_name("ffn_scaled", layer), layer, outer, {down, share});
        Ref sum = make_.view("VIEW", layer_name("expert_0", layer), layer, row_, scaled);
        for (int i = 1; i < model_.n_experts_used; i++) {
            const Ref one = make_.view(
                "VIEW", layer_name("expert_" + std::to_string(i), layer), layer, row_, scaled);
            sum = make_.node(
                "ADD", layer_name("moe_sum_" + std::to_string(i), layer), layer, row_, {sum, one});
        }
        return sum;
    }

    void head(Ref x) {
        const std::int64_t rows = make_.graph().n_outputs;
        const Shape out{model_.n_embd, rows, 1, 1};
        const Ref kept = make_.node("GET_ROWS", "last_rows", -1, out, {x, rows_});
        const Ref scaled = make_.node("RMS_NORM", "norm", -1, out, {kept});
        const Ref normed =
            make_.node("MUL", "result_norm", -1, out, {scaled, make_.weight("output_norm.weight")});
        make_.node("MUL_MAT",
                   "result_output",
                   -1,
                   {model_.n_vocab, rows, 1, 1},
                   {make_.weight("output.weight"), normed});
        make_.mark_output();
    }

    const ToyModel& model_;
    GraphMaker make_;
    std::int64_t tokens_;
    Shape row_;
    Ref ids_, positions_, cells_, mask_, rows_;
};

void describe(Inventory& inventory, const ToyModel& model) {
    inventory.model_name = "toy";
    inventory.architecture = "toy";
    inventory.n_layers = model.n_layers;
    inventory.n_experts = model.n_experts;
    inventory.n_experts_used = model.n_experts > 0 ? model.n_experts_used : 0;
    inventory.n_ctx_train = static_cast<std::uint32_t>(model.n_cells);
    inventory.has_recurrent = model.n_recurrent > 0;
    inventory.context.n_ctx = static_cast<std::uint32_t>(model.n_cells);
    inventory.context.flash_attention = FlashAttention::On;
    inventory.device = {"toy", model.alignment, ~Bytes{0}};
}

}  // namespace

Inventory toy_model(const ToyModel& model) {
    Inventory inventory;
    describe(inventory, model);
    const Shape table{model.n_embd, model.n_vocab, 1, 1};
    add_weight(inventory, "token_embd.weight", "f16", table);
    for (int layer = 0; layer < model.n_layers; layer++) {
        add_attention_weights(inventory, model, layer);
        add_ffn_weights(inventory, model, layer);
        add_states(inventory, model, layer);
    }
    add_weight(inventory, "output_norm.weight", "f32", {model.n_embd, 1, 1, 1});
    add_weight(inventory, "output.weight", model.tied_head ? "f16" : "f32", table);
    for (const Weight& weight : inventory.weights) inventory.file_bytes += weight.bytes;
    inventory.total_file_bytes = inventory.file_bytes;
    for (std::uint32_t n_tokens : model.tiers) {
        Graph& graph = inventory.graphs.emplace_back();
        graph.n_tokens = n_tokens;
        graph.n_seqs = 1;
        graph.n_outputs = output_rows(inventory.context, n_tokens);
        ToyGraph(inventory, model, graph).build();
    }
    return inventory;
}

Inventory toy_dense(int n_layers) { return toy_model({.n_layers = n_layers}); }

Inventory toy_moe(int n_layers) {
    return toy_model({.n_layers = n_layers, .n_experts = 4, .n_shared_ff = 4});
}

int weight_index(const Inventory& inventory, std::string_view name) {
    return index_of(inventory.weights, name);
}

int state_index(const Inventory& inventory, std::string_view name) {
    return index_of(inventory.states, name);
}

int node_index(const Graph& graph, std::string_view name) { return index_of(graph.nodes, name); }

Placement uniform_placement(const Inventory& inventory, Lane lane) {
    Placement placement;
    for (const Weight& weight : inventory.weights) {
        placement.weights.push_back(weight.side == Side::Input ? Lane::Cpu : lane);
    }
    placement.states.assign(inventory.states.size(), lane);
    return placement;
}

void place_side(Placement& placement, const Inventory& inventory, int layer, Side side, Lane lane) {
    for (std::size_t i = 0; i < inventory.weights.size(); i++) {
        const Weight& weight = inventory.weights[i];
        if (weight.layer == layer && weight.side == side) placement.weights[i] = lane;
    }
    if (side != Side::Attention) return;
    for (std::size_t i = 0; i < inventory.states.size(); i++) {
        if (inventory.states[i].layer == layer) placement.states[i] = lane;
    }
}

void place_layer(Placement& placement, const Inventory& inventory, int layer, Lane lane) {
    place_side(placement, inventory, layer, Side::Attention, lane);
    place_side(placement, inventory, layer, Side::Ffn, lane);
}

}  // namespace pshard
