#include "ggml_kit/interfaces.h"

#include <algorithm>
#include <iterator>

namespace pshard {

Guid::Guid(std::string_view text) {
    std::copy_n(text.begin(), std::min(text.size(), std::size(bytes_)), std::begin(bytes_));
}

ggml_backend_dev_props plain_props(ggml_backend_dev_t device) {
    ggml_backend_dev_props props{};
    props.name = ggml_backend_dev_name(device);
    props.description = ggml_backend_dev_description(device);
    props.type = ggml_backend_dev_type(device);
    ggml_backend_dev_memory(device, &props.memory_free, &props.memory_total);
    return props;
}

}  // namespace pshard
