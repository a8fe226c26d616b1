// What the ggml devices that we write ourselves have in common.
#pragma once

#include <string_view>

#include <ggml-backend-impl.h>

namespace pshard {

// A backend's guid, made of 16 characters.
class Guid {
public:
    explicit Guid(std::string_view text);

    ggml_guid_t get() { return &bytes_; }

private:
    ggml_guid bytes_{};
};

// Properties with the name, description, type and memory that the device's own functions tell, and
// without any capability.
[[nodiscard]] ggml_backend_dev_props plain_props(ggml_backend_dev_t device);

}  // namespace pshard
