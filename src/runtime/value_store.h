// Where the newest value of a tensor of llama.cpp's is, for the host that reads and writes it.
//
//   a value that the last pass left on the device, and nobody has fetched    (PassRunner)
//   a state whose home is a place in the arena                               (Residency)
//   else host memory, at the tensor's own address or where it has moved      (PageLocks)
//
// A write goes to where the newest value is. It also makes stale what was made of the old value:
// the copies of a weight in the arena and in the CPU's layout, and the zeroes of a state.
#pragma once

#include <optional>

#include "runtime/model_table.h"

namespace pshard {

class ValueStore {
public:
    // What it looks into.
    struct Sources {
        ModelTable& models;
        PassCache& passes;
        PassRunner& runner;
        Executor& executor;
        CpuWeights& cpu_weights;
        const PageLocks& page_locks;  // what they hold must not be given back to the system
    };

    explicit ValueStore(const Sources& sources) : at_(sources) {}

    void write(const ggml_tensor& tensor, const void* data, Bytes offset, Bytes bytes);
    void fill(const ggml_tensor& tensor, std::uint8_t value, Bytes offset, Bytes bytes);
    void read(const ggml_tensor& tensor, void* data, Bytes offset, Bytes bytes);

    // Fills all of the buffer.
    void clear(HostBuffer& buffer, std::uint8_t value);

private:
    // The tensor as it lies in the arena; nullopt: its home is host memory.
    std::optional<ggml_tensor> in_arena(const ggml_tensor& tensor);
    void touch(const ggml_tensor& tensor);

    Sources at_;
};

}  // namespace pshard
