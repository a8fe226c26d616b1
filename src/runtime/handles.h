// Owners of ggml's objects.
#pragma once

#include <memory>

#include <ggml-backend.h>

namespace pshard {

struct BackendDeleter {
    void operator()(ggml_backend_t backend) const { ggml_backend_free(backend); }
};

struct BufferDeleter {
    void operator()(ggml_backend_buffer_t buffer) const { ggml_backend_buffer_free(buffer); }
};

struct EventDeleter {
    void operator()(ggml_backend_event_t event) const { ggml_backend_event_free(event); }
};

using BackendHandle = std::unique_ptr<ggml_backend, BackendDeleter>;
using BufferHandle = std::unique_ptr<ggml_backend_buffer, BufferDeleter>;
using EventHandle = std::unique_ptr<ggml_backend_event, EventDeleter>;

}  // namespace pshard
