#include <algorithm>
#include <cstring>
#include <vector>

#include "runtime/executor.h"

namespace pshard {
namespace {

// Tells which experts the ids name. An id out of range names none, as for the kernels.
std::vector<bool> named_experts(const ggml_tensor& ids, const std::byte* data, std::int64_t n) {
    std::vector<bool> named(static_cast<std::size_t>(n));
    for (std::int64_t row = 0; row < ids.ne[1]; ++row) {
        for (std::int64_t column = 0; column < ids.ne[0]; ++column) {
            std::int32_t id = 0;
            std::memcpy(
                &id,
                data + static_cast<Bytes>(row) * ids.nb[1] + static_cast<Bytes>(column) * ids.nb[0],
                sizeof(id));
            if (id >= 0 && id < n) named[static_cast<std::size_t>(id)] = true;
        }
    }
    return named;
}

// Bytes that are uploaded behind an expert, as llama.cpp's scheduler does: matrix kernels of
// quantized tensors read past the last row, and what lies there must be numbers. The tensor's own
// zeroes follow the last expert.
constexpr Bytes kTail = 512;

std::vector<bool> fetch_named(Queue& queue, const ExpertLoad& load) {
    std::vector<std::byte> ids(ggml_nbytes(load.ids));
    queue.download(*load.ids, ids.data(), 0, ids.size());
    queue.synchronize();
    return named_experts(*load.ids, ids.data(), load.n_experts);
}

void add_named(const ExpertLoad& load,
               const std::vector<bool>& named,
               std::vector<SlotPiece>& pieces) {
    const Bytes expert = load.weight.bytes / static_cast<Bytes>(load.n_experts);
    for (auto begin = named.begin(); begin != named.end();) {
        begin = std::find(begin, named.end(), true);
        if (begin == named.end()) break;
        const auto end = std::find(begin, named.end(), false);  // neighbours are one piece
        const Bytes offset = static_cast<Bytes>(begin - named.begin()) * expert;
        const Bytes tail = end == named.end() ? 0 : std::min(expert, kTail);
        const Bytes bytes = static_cast<Bytes>(end - begin) * expert + tail;
        pieces.push_back({load.weight.offset + offset, bytes, load.weight.host + offset});
        begin = end;
    }
}

}  // namespace

void add_named_experts(Queue& queue,
                       const std::vector<ExpertLoad>& loads,
                       std::vector<SlotPiece>& pieces) {
    const ggml_tensor* ids = nullptr;
    std::vector<bool> named;
    for (const ExpertLoad& load : loads) {
        if (load.ids != ids) named = fetch_named(queue, load);
        ids = load.ids;
        add_named(load, named, pieces);
    }
}

}  // namespace pshard
