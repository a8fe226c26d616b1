// An in-order queue of a ggml device: one backend instance.
//
// If the device is asynchronous, work that is issued runs later. A Mark is a point in that order
// that other queues and the host can wait for. If the device has no events, issuing a mark waits
// for the queue instead, which is slower but equally right.
//
// Only one thread at a time may use a queue and the marks that were last issued to it: when the
// host waits for a mark, ggml's Vulkan backend takes the queue's command buffer back. Other queues
// may wait for a mark from any thread.
#pragma once

#include <memory>

#include "ggml_kit/device.h"

namespace pshard {

// A point in the order of a queue. A mark that was never issued makes nobody wait.
class Mark {
public:
    explicit Mark(ggml_backend_dev_t device) : device_(device) {}

    void host_wait() const;  // returns when the device has passed the mark

private:
    friend class Queue;
    ggml_backend_dev_t device_;
    EventHandle event_;  // made by the first issue; nullptr after that: the device has no events
    bool issued_ = false;
};

class Queue {
public:
    // Fails if the device refuses another instance.
    static Result<std::unique_ptr<Queue>> open(ggml_backend_dev_t device);

    // `tensor` must lie in a buffer of the device. `host` must stay valid and unchanged until the
    // queue has passed this point.
    void upload(ggml_tensor& tensor, const void* host, Bytes offset, Bytes bytes);
    void download(const ggml_tensor& tensor, void* host, Bytes offset, Bytes bytes);
    ggml_status compute(ggml_cgraph& graph);

    // Puts the mark here. Waits until the mark's last issue was passed, so that the device can take
    // back what it keeps for it.
    void issue(Mark& mark);

    void wait(const Mark& mark);  // work that is issued after this runs after the mark
    void synchronize();

    [[nodiscard]] ggml_backend_t backend() const { return backend_.get(); }

private:
    explicit Queue(BackendHandle backend) : backend_(std::move(backend)) {}

    // The backend, and its device is the calling thread's current one.
    [[nodiscard]] ggml_backend_t selected_backend() const;

    BackendHandle backend_;
};

}  // namespace pshard
