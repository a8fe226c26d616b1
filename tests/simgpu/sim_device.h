// For tests: a simulated GPU of its own, with tensors, pinned memory and queues, that counts
// faults.
#pragma once

#include <cstring>
#include <thread>

#include "build_paths.h"
#include "ggml_kit/handles.h"
#include "probe/devices.h"
#include "simgpu/gpu.h"
#include "support/testing.h"

namespace pshard::simgpu {

inline Settings counting() {
    Settings settings;
    settings.on_fault = OnFault::Count;
    return settings;
}

class SimDevice {
public:
    explicit SimDevice(const Settings& settings = counting()) : gpu(settings), context_(512) {
        load_ggml_backends(PSHARD_LLAMA_BIN_DIR);
    }

    [[nodiscard]] BackendHandle queue() { return BackendHandle(make_backend(gpu)); }

    // F32, in a buffer of its own. Never written.
    ggml_tensor* tensor(const char* name, std::int64_t n) {
        return placed(ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, n), name);
    }

    ggml_tensor* placed(ggml_tensor* tensor, const char* name) {
        ggml_set_name(tensor, name);
        const std::size_t bytes = ggml_backend_buft_get_alloc_size(&gpu.buffer_type, tensor);
        buffers_.emplace_back(ggml_backend_buft_alloc_buffer(&gpu.buffer_type, bytes));
        ggml_backend_tensor_alloc(
            buffers_.back().get(), tensor, ggml_backend_buffer_get_base(buffers_.back().get()));
        return tensor;
    }

    // Written, by the host.
    ggml_tensor* filled(const char* name, std::int64_t n, float value) {
        ggml_tensor* made = tensor(name, n);
        const std::vector<float> values(std::size_t(n), value);
        ggml_backend_tensor_set(made, values.data(), 0, ggml_nbytes(made));
        return made;
    }

    // Pinned host memory, all `value`.
    float* pinned(std::size_t n, float value) {
        buffers_.emplace_back(
            ggml_backend_buft_alloc_buffer(&gpu.host_buffer_type, n * sizeof(float)));
        auto* data = static_cast<float*>(ggml_backend_buffer_get_base(buffers_.back().get()));
        std::fill(data, data + n, value);
        return data;
    }

    // The first value, by the host.
    static float first(const ggml_tensor* tensor) {
        float value = 0;
        ggml_backend_tensor_get(tensor, &value, 0, sizeof value);
        return value;
    }

    // A graph of what `result` needs, its nodes placed in the device's memory.
    ggml_cgraph* graph(ggml_tensor* result) {
        ggml_cgraph* made = ggml_new_graph_custom(context_.get(), 16, false);
        ggml_build_forward_expand(made, result);
        for (int i = 0; i < ggml_graph_n_nodes(made); ++i) {
            ggml_tensor* node = ggml_graph_node(made, i);
            if (node->data == nullptr && node->view_src == nullptr) placed(node, node->name);
        }
        return made;
    }

    void free_last_buffer() { buffers_.pop_back(); }

    [[nodiscard]] ggml_context* context() const { return context_.get(); }

    [[nodiscard]] unsigned long faults() const { return gpu.watch.n_faults(); }

    Gpu gpu;

private:
    GgmlContext context_;
    std::vector<BufferHandle> buffers_;
};

// A device with two queues.
class OnSimGpu : public testing::Test {
protected:
    SimDevice device{};
    BackendHandle queue = device.queue();
    BackendHandle other = device.queue();
};

// Keeps a queue from going on until it is let go: so a test knows what has not happened yet.
class Hold {
public:
    explicit Hold(ggml_backend_t queue) : flag_(std::make_shared<Flag>()) {
        queue_of(queue).post([flag = flag_] { flag->wait(); });
    }

    explicit Hold(const BackendHandle& queue) : Hold(queue.get()) {}

    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

    ~Hold() { let_go(); }

    void let_go() { flag_->set(); }

private:
    std::shared_ptr<Flag> flag_;
};

// Lets a queue go after a while, for a test that the queue holds up. What is seen before that time
// should have waited; on a slow machine a test may see less, and never fails for it.
class LetGoLater {
public:
    explicit LetGoLater(Hold& hold)
        : thread_([&hold] {
              std::this_thread::sleep_for(std::chrono::milliseconds(50));
              hold.let_go();
          }) {}

    LetGoLater(const LetGoLater&) = delete;
    LetGoLater& operator=(const LetGoLater&) = delete;

    ~LetGoLater() { thread_.join(); }

private:
    std::thread thread_;
};

}  // namespace pshard::simgpu
