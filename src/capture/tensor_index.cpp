#include "capture/tensor_index.h"

#include <bit>
#include <cstdint>
#include <utility>

namespace pshard {

TensorIndex::TensorIndex(std::size_t expected) : slots_(std::bit_ceil(2 * expected + 2)) {}

std::size_t TensorIndex::slot_of(const ggml_tensor* tensor) const {
    const auto address = reinterpret_cast<std::uintptr_t>(tensor);
    const std::size_t mask = slots_.size() - 1;
    std::size_t slot = ((address >> 4) * 0x9E3779B97F4A7C15ULL >> 20) & mask;
    while (slots_[slot].tensor != nullptr && slots_[slot].tensor != tensor) {
        slot = (slot + 1) & mask;
    }
    return slot;
}

void TensorIndex::add(const ggml_tensor* tensor, Ref ref) {
    if (2 * (used_ + 1) > slots_.size()) grow();
    Slot& slot = slots_[slot_of(tensor)];
    if (slot.tensor != nullptr) return;
    slot = {tensor, ref};
    ++used_;
}

const Ref* TensorIndex::find(const ggml_tensor* tensor) const {
    const Slot& slot = slots_[slot_of(tensor)];
    return slot.tensor != nullptr ? &slot.ref : nullptr;
}

void TensorIndex::grow() {
    std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(2 * slots_.size()));
    for (const Slot& slot : old) {
        if (slot.tensor != nullptr) slots_[slot_of(slot.tensor)] = slot;
    }
}

}  // namespace pshard
