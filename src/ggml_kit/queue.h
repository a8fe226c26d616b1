// An in-order queue of a ggml device: one backend instance.
//
// What is issued runs later where the device is asynchronous; a Mark is a point in that order that
// other queues and the host can wait for. Where the device has no events, issuing a mark waits for
// the queue instead: slower, equally right.
//
// A queue and the marks that were last issued to it are for one thread at a time: when the host
// waits for a mark, ggml's Vulkan takes the queue's command buffer back. Other queues may wait for
// it from any thread.
#pragma once

#include <memory>

#include "ggml_kit/device.h"

namespace pshard {

// A mark that was never issued holds nobody.
class Mark {
public:
    explicit Mark(ggml_backend_dev_t device) : device_(device) {}

    void host_wait() const;  // the caller goes on after the mark

private:
    friend class Queue;
    ggml_backend_dev_t device_;
    EventHandle event_;  // made by the first issue; nullptr after it: the device has none
    bool issued_ = false;
};

class Queue {
public:
    // Fails if the device refuses another instance.
    static Result<std::unique_ptr<Queue>> open(ggml_backend_dev_t device);

    // `tensor` lies in a buffer of the device. `host` must stay as it is until the queue has passed
    // this point.
    void upload(ggml_tensor& tensor, const void* host, Bytes offset, Bytes bytes);
    void download(const ggml_tensor& tensor, void* host, Bytes offset, Bytes bytes);
    ggml_status compute(ggml_cgraph& graph);

    // Waits for the mark's last use: then the device can take back what it keeps for it.
    void issue(Mark& mark);

    void wait(const Mark& mark);  // what is issued after this runs after the mark
    void synchronize();

    [[nodiscard]] ggml_backend_t backend() const { return backend_.get(); }

private:
    explicit Queue(BackendHandle backend) : backend_(std::move(backend)) {}

    BackendHandle backend_;
};

}  // namespace pshard
