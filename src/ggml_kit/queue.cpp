#include "ggml_kit/queue.h"

#include <utility>

namespace pshard {
namespace {

// Makes the device the calling thread's current one, where its library has such a thing: CUDA makes
// a context of some 300 MiB on whatever device is current when a thread first waits or copies, the
// first one unless told otherwise. ggml has no call for it; its CUDA backend selects the device
// before it makes an event. The variable lies in the thread's own block (initial-exec), for which a
// library that is loaded late needs no call and no memory: the leak checker reads such memory after
// it is gone.
void select_device(ggml_backend_dev_t device) {
    [[gnu::tls_model("initial-exec")]] thread_local ggml_backend_dev_t selected = nullptr;
    if (std::exchange(selected, device) != device)
        EventHandle(ggml_backend_event_new(device)).reset();
}

}  // namespace

void Mark::host_wait() const {
    if (!issued_ || !event_) return;
    select_device(device_);
    ggml_backend_event_synchronize(event_.get());
}

Result<std::unique_ptr<Queue>> Queue::open(ggml_backend_dev_t device) {
    Result<BackendHandle> backend = open_backend(device);
    if (!backend) return backend.error();
    return std::unique_ptr<Queue>(new Queue(std::move(backend).value()));
}

ggml_backend_t Queue::selected_backend() const {
    select_device(ggml_backend_get_device(backend()));
    return backend();
}

void Queue::upload(ggml_tensor& tensor, const void* host, Bytes offset, Bytes bytes) {
    if (bytes == 0) return;
    ggml_backend_tensor_set_async(selected_backend(), &tensor, host, offset, bytes);
}

void Queue::download(const ggml_tensor& tensor, void* host, Bytes offset, Bytes bytes) {
    if (bytes == 0) return;
    ggml_backend_tensor_get_async(selected_backend(), &tensor, host, offset, bytes);
}

ggml_status Queue::compute(ggml_cgraph& graph) {
    return ggml_backend_graph_compute_async(backend(), &graph);
}

void Queue::issue(Mark& mark) {
    mark.host_wait();
    if (!mark.issued_) mark.event_.reset(ggml_backend_event_new(mark.device_));
    if (mark.event_) {
        ggml_backend_event_record(mark.event_.get(), backend());
    } else {
        synchronize();
    }
    mark.issued_ = true;
}

void Queue::wait(const Mark& mark) {
    if (!mark.issued_ || !mark.event_) return;
    ggml_backend_event_wait(selected_backend(), mark.event_.get());
}

void Queue::synchronize() { ggml_backend_synchronize(selected_backend()); }

}  // namespace pshard
