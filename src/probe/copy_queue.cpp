#include "probe/copy_queue.h"

#include <cstdint>
#include <utility>

namespace pshard {

Result<CopyQueue> CopyQueue::open(ggml_backend_dev_t device, Bytes wanted, Bytes least) {
    Result<std::unique_ptr<Queue>> queue = Queue::open(device);
    if (!queue) return queue.error();
    ggml_backend_buffer_type_t type = ggml_backend_dev_buffer_type(device);
    Result<BufferHandle> buffer = allocate(type, wanted);
    while (!buffer && wanted / 2 >= least) {
        wanted /= 2;
        buffer = allocate(type, wanted);
    }
    if (!buffer) return buffer.error();
    return CopyQueue(std::move(queue).value(), std::move(buffer).value());
}

CopyQueue::CopyQueue(std::unique_ptr<Queue> queue, BufferHandle buffer)
    : buffer_(std::move(buffer)), queue_(std::move(queue)), context_(1) {
    const auto bytes = static_cast<std::int64_t>(ggml_backend_buffer_get_size(buffer_.get()));
    memory_ = ggml_new_tensor_1d(context_.get(), GGML_TYPE_I8, bytes);
    ggml_backend_tensor_alloc(buffer_.get(), memory_, ggml_backend_buffer_get_base(buffer_.get()));
}

Bytes CopyQueue::capacity() const { return ggml_nbytes(memory_); }

}  // namespace pshard
