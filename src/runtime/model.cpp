#include "runtime/model.h"

#include <ggml.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "capture/tensor_facts.h"

namespace pshard {
namespace {

Bytes input_bytes(const Graph& graph) {
    return std::accumulate(
        graph.inputs.begin(), graph.inputs.end(), Bytes{0}, [](Bytes sum, const Input& input) {
            return sum + input.bytes;
        });
}

std::size_t n_weights_read(const Graph& graph) {
    std::set<int> read;
    for (const Node& node : graph.nodes) {
        for (const Ref& source : node.sources) {
            if (source.kind == Ref::Kind::Weight) read.insert(source.index);
        }
    }
    return read.size();
}

bool is_smaller(const Graph& a, const Graph& b) {
    return std::pair(n_weights_read(a), input_bytes(a)) <
           std::pair(n_weights_read(b), input_bytes(b));
}

// What the longest cache tells of the context: its cells, and how many sequences share them.
void tell_context(const State& state, ContextSpec& context) {
    const auto cells = static_cast<std::uint32_t>(state.n_cells);
    if (context.n_ctx >= cells) return;
    context.n_ctx = cells;
    context.n_seq_max = static_cast<std::uint32_t>(state.shape[2]);
}

// The experts that each token uses, by the largest product of experts; 0: there is none.
int experts_used(const Graph& graph) {
    std::int64_t used = 0;
    for (const Node& node : graph.nodes) {
        if (node.op == "MUL_MAT_ID") used = std::max(used, node.shape[1]);
    }
    return static_cast<int>(used);
}

std::int64_t weight_rows(const Node& node) {
    if (node.op == "MUL_MAT_ID") return node.shape[2];
    if (node.op == "MUL_MAT" || node.op == "MUL") {
        return node.shape[1] * node.shape[2] * node.shape[3];
    }
    return 0;
}

}  // namespace

Model::Model(const DevicePolicy& policy) : policy_(policy) {
    inventory_.device = policy.model();
    inventory_.context.n_ctx = 0;  // nothing has told of it yet
}

bool Model::has_room_for(const HostBuffer& buffer) const {
    return std::none_of(buffer.tensors.begin(),
                        buffer.tensors.end(),
                        [&](const ggml_tensor* tensor) { return names_.contains(tensor->name); });
}

bool Model::add_weights(HostBuffer& buffer) {
    if (!has_room_for(buffer)) return false;
    buffers_.insert(&buffer);
    for (const ggml_tensor* tensor : buffer.tensors) add_weight(*tensor);
    return true;
}

bool Model::borrow(const ggml_tensor& weight) {
    if (names_.contains(weight.name)) return false;
    lenders_.insert(host_buffer_of(weight));
    add_weight(weight);
    return true;
}

void Model::add_weight(const ggml_tensor& tensor) {
    names_.insert(tensor.name);
    // llama.cpp keeps the weight that it embeds tokens with on the CPU, so this one is the tied
    // head.
    const bool tied_head = std::string_view(tensor.name) == "token_embd.weight";
    Weight weight = weight_facts(tensor, tied_head ? "output.weight" : tensor.name, policy_);
    inventory_.head_is_tied = inventory_.head_is_tied || tied_head;
    inventory_.n_layers = std::max(inventory_.n_layers, weight.layer + 1);
    if (weight.routed) {
        inventory_.n_experts = std::max(inventory_.n_experts, static_cast<int>(weight.shape[2]));
    }
    index_.add(&tensor, {Ref::Kind::Weight, static_cast<int>(weights_.size())});
    weights_.push_back(&tensor);
    inventory_.weights.push_back(std::move(weight));
}

std::size_t Model::add_states(HostBuffer& buffer) {
    std::size_t n_added = 0;
    buffers_.insert(&buffer);
    for (const ggml_tensor* tensor : buffer.tensors) {
        State state = state_facts(*tensor, policy_);
        tell_context(state, inventory_.context);
        int place = take_place(state);
        if (place < 0) {
            place = static_cast<int>(states_.size());
            states_.push_back(nullptr);
            inventory_.has_recurrent =
                inventory_.has_recurrent || state.kind == StateKind::Recurrent;
            inventory_.states.push_back(std::move(state));
            ++n_added;
        }
        states_[static_cast<std::size_t>(place)] = tensor;
        index_.add(tensor, {Ref::Kind::State, place});
    }
    return n_added;
}

// The first state without a tensor that is like this one; -1 if there is none.
int Model::take_place(const State& state) {
    for (std::size_t i = 0; i < states_.size(); ++i) {
        if (states_[i] == nullptr && inventory_.states[i] == state) return static_cast<int>(i);
    }
    return -1;
}

bool Model::has_places_for(const std::vector<HostBuffer*>& buffers) const {
    std::vector<State> homeless;
    for (const HostBuffer* buffer : buffers) {
        for (const ggml_tensor* tensor : buffer->tensors) {
            homeless.push_back(state_facts(*tensor, policy_));
        }
    }
    for (std::size_t i = 0; i < states_.size(); ++i) {
        if (states_[i] != nullptr) continue;
        const auto housed = std::find(homeless.begin(), homeless.end(), inventory_.states[i]);
        if (housed != homeless.end()) homeless.erase(housed);
    }
    return homeless.empty();
}

bool Model::is_without_contexts() const {
    return !states_.empty() && std::all_of(states_.begin(), states_.end(), [](const auto* state) {
        return state == nullptr;
    });
}

void Model::drop_contexts() {
    PSHARD_CHECK(is_without_contexts());
    states_.clear();
    inventory_.states.clear();
    inventory_.graphs.clear();
    pieces_.drop();
    inventory_.context.n_ctx = 0;
    inventory_.has_recurrent = false;
    rebuild_index();
}

bool Model::forget(const HostBuffer& buffer) {
    if (buffers_.erase(&buffer) == 0) return false;
    const auto held = [&](const ggml_tensor* tensor) {
        return std::find(buffer.tensors.begin(), buffer.tensors.end(), tensor) !=
               buffer.tensors.end();
    };
    if (std::any_of(weights_.begin(), weights_.end(), held)) return true;
    std::replace_if(states_.begin(), states_.end(), held, nullptr);
    rebuild_index();
    return false;
}

void Model::rebuild_index() {
    index_ = TensorIndex(weights_.size() + states_.size());
    for (std::size_t i = 0; i < weights_.size(); ++i) {
        index_.add(weights_[i], {Ref::Kind::Weight, static_cast<int>(i)});
    }
    for (std::size_t i = 0; i < states_.size(); ++i) {
        if (states_[i] != nullptr) index_.add(states_[i], {Ref::Kind::State, static_cast<int>(i)});
    }
}

ReadGraph Model::read(const ggml_cgraph& graph) const {
    ReadGraph read = read_split(graph, {index_, inventory_, policy_});
    read.graph.n_tokens = tokens_of(read.graph, inventory_);
    return read;
}

void Model::note(const ggml_cgraph& graph, Graph read) {
    Graph joined = pieces_.add(place_of(graph), std::move(read));
    joined.n_tokens = tokens_of(joined, inventory_);
    if (joined.n_tokens > 0) keep(std::move(joined));
}

void Model::keep(Graph graph) {
    inventory_.n_experts_used = std::max(inventory_.n_experts_used, experts_used(graph));
    auto& graphs = inventory_.graphs;
    const auto at = std::lower_bound(
        graphs.begin(), graphs.end(), graph.tier(), [](const Graph& other, const TierKey& tier) {
            return other.tier() < tier;
        });
    if (at == graphs.end() || at->tier() != graph.tier()) {
        graphs.insert(at, std::move(graph));
    } else if (is_smaller(*at, graph)) {
        *at = std::move(graph);
    }
}

// Lets the matrices vote, since a norm of heads is applied to every head of a token. A matrix for
// each head, or one that only some rows go through, is outvoted by those of the layers.
std::uint32_t tokens_of(const Graph& graph, const Inventory& inventory) {
    std::map<std::int64_t, int> votes;
    std::int64_t most = 0;
    for (const Node& node : graph.nodes) {
        for (const Ref& source : node.sources) {
            if (source.kind != Ref::Kind::Weight) continue;
            const Weight& weight = inventory.weights[static_cast<std::size_t>(source.index)];
            most = std::max(most, weight_rows(node));
            const bool matrix = node.op == "MUL_MAT" && weight.shape[2] == 1;
            if (matrix || node.op == "MUL_MAT_ID") ++votes[weight_rows(node)];
        }
    }
    const auto winner =
        std::max_element(votes.begin(), votes.end(), [](const auto& a, const auto& b) {
            return a.second < b.second || (a.second == b.second && a.first < b.first);
        });
    return static_cast<std::uint32_t>(winner == votes.end() ? most : winner->first);
}

bool is_state_name(std::string_view name) {
    return name.starts_with("cache_") || name.starts_with("dsv4_");
}

}  // namespace pshard
