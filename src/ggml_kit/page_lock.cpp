#include "ggml_kit/page_lock.h"

#include <fmt/format.h>

#include "ggml_kit/device.h"

namespace pshard {

namespace {

constexpr const char* kLock = "ggml_backend_register_host_buffer";
constexpr const char* kUnlock = "ggml_backend_unregister_host_buffer";

using Lock = bool (*)(void*, std::size_t);

}  // namespace

bool PageLock::is_offered(ggml_backend_dev_t device) {
    return find_function<Lock>(device, kLock) != nullptr &&
           find_function<Unlock>(device, kUnlock) != nullptr;
}

Result<PageLock> PageLock::make(ggml_backend_dev_t device, const void* data, Bytes bytes) {
    const auto lock = find_function<Lock>(device, kLock);
    const auto unlock = find_function<Unlock>(device, kUnlock);
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
