// From a ggml tensor to the Ref that names it in the inventory: a flat hash of pointers.
#pragma once

#include <cstddef>
#include <vector>

#include "inventory/inventory.h"

struct ggml_tensor;

namespace pshard {

class TensorIndex {
public:
    explicit TensorIndex(std::size_t expected = 64);

    // The first Ref given for a tensor stays.
    void add(const ggml_tensor* tensor, Ref ref);

    // nullptr if the tensor is not known; valid until the next add.
    [[nodiscard]] const Ref* find(const ggml_tensor* tensor) const;

private:
    struct Slot {
        const ggml_tensor* tensor = nullptr;
        Ref ref;
    };

    [[nodiscard]] std::size_t slot_of(const ggml_tensor* tensor) const;
    void grow();

    std::vector<Slot> slots_;  // a power of two, at most half full
    std::size_t used_ = 0;
};

}  // namespace pshard
