// The tensors of a model by name and shape, before a type is chosen for each.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "models/shapes.h"

namespace pshard::shapes {

using Dims = std::vector<std::int64_t>;  // ggml's order: dims[0] is the row length

struct TensorSpec {
    std::string name;
    Dims dims;

    bool operator==(const TensorSpec&) const = default;
};

using TensorList = std::vector<TensorSpec>;

// The part of a list that one layer adds: names get "blk.N." in front.
class Layer {
public:
    Layer(TensorList& list, const ModelShape& model_of_layer, int layer_index)
        : model(model_of_layer), index(layer_index), list_(list) {}

    const ModelShape& model;
    const int index;

    // A tensor of exactly this name, for the few without ".weight".
    void add(const std::string& name, Dims dims) {
        list_.push_back({"blk." + std::to_string(index) + "." + name, std::move(dims)});
    }

    void weight(const std::string& name, Dims dims) { add(name + ".weight", std::move(dims)); }

    void bias(const std::string& name, Dims dims) { add(name + ".bias", std::move(dims)); }

    void norm(const std::string& name) { weight(name, {model.n_embd}); }

private:
    TensorList& list_;
};

}  // namespace pshard::shapes
