#include "probe/copy_queue.h"

#include <cstdint>
#include <utility>

namespace pshard {

Result<CopyQueue> CopyQueue::open(ggml_backend_dev_t device, Bytes wanted, Bytes least) {
    Result<BackendPtr> backend = open_backend(device, 1);
    if (!backend) return backend.error();
    ggml_backend_buffer_type_t type = ggml_backend_dev_buffer_type(device);
    Result<BufferPtr> buffer = allocate(type, wanted);
    while (!buffer && wanted / 2 >= least) {
        wanted /= 2;
        buffer = allocate(type, wanted);
    }
    if (!buffer) return buffer.error();
    return CopyQueue(std::move(backend).value(), std::move(buffer).value());
}

CopyQueue::CopyQueue(BackendPtr backend, BufferPtr buffer)
    : buffer_(std::move(buffer)), backend_(std::move(backend)), context_(1) {
    const auto bytes = static_cast<std::int64_t>(ggml_backend_buffer_get_size(buffer_.get()));
    memory_ = ggml_new_tensor_1d(context_.get(), GGML_TYPE_I8, bytes);
    ggml_backend_tensor_alloc(buffer_.get(), memory_, ggml_backend_buffer_get_base(buffer_.get()));
}

void CopyQueue::upload(const std::byte* from, Bytes at, Bytes bytes) {
    ggml_backend_tensor_set_async(backend_.get(), memory_, from, at, bytes);
}

void CopyQueue::download(std::byte* to, Bytes at, Bytes bytes) {
    ggml_backend_tensor_get_async(backend_.get(), memory_, to, at, bytes);
}

void CopyQueue::wait() { ggml_backend_synchronize(backend_.get()); }

Bytes CopyQueue::capacity() const { return ggml_nbytes(memory_); }

}  // namespace pshard
