// Leads from a ggml tensor to the Ref that names it in the inventory: a flat hash table of
// pointers.
#pragma once

#include <cstddef>
#include <vector>

#include "inventory/inventory.h"

struct ggml_tensor;

namespace pshard {

class TensorIndex {
public:
    explicit TensorIndex(std::size_t expected = 64);

    // Adds a tensor. A tensor that is known keeps its first Ref.
    void add(const ggml_tensor* tensor, Ref ref);

    // The Ref of a tensor, valid until the next add; nullptr if the tensor is not known.
    [[nodiscard]] const Ref* find(const ggml_tensor* tensor) const;

private:
    struct Slot {
        const ggml_tensor* tensor = nullptr;
        Ref ref;
    };

    [[nodiscard]] std::size_t slot_of(const ggml_tensor* tensor) const;
    void grow();

    std::vector<Slot> slots_;  // as many as a power of two, at most half of them used
    std::size_t used_ = 0;
};

}  // namespace pshard
