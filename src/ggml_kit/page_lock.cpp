#include "ggml_kit/page_lock.h"

#include <fmt/format.h>

#include "ggml_kit/device.h"

namespace pshard {

Result<PageLock> PageLock::make(ggml_backend_dev_t device, const void* data, Bytes bytes) {
    using Lock = bool (*)(void*, std::size_t);
    const auto lock = find_function<Lock>(device, "ggml_backend_register_host_buffer");
    const auto unlock = find_function<Unlock>(device, "ggml_backend_unregister_host_buffer");
    const char* backend = ggml_backend_reg_name(ggml_backend_dev_backend_reg(device));
    if (lock == nullptr || unlock == nullptr) {
        return Error{fmt::format("{} cannot page-lock memory in place", backend), {}};
    }
    void* pages = const_cast<void*>(data);
    if (lock(pages, bytes)) return PageLock(unlock, pages);
    return Error{fmt::format("{} refuses to page-lock {:.0f} MiB in place", backend, in_mib(bytes)),
                 {}};
}

}  // namespace pshard
