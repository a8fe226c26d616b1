#include "base/address_space.h"

#include <sys/mman.h>

namespace pshard {

std::optional<AddressSpace> AddressSpace::reserve(Bytes bytes, PageUse use) {
    const int protection = use == PageUse::None ? PROT_NONE : PROT_READ | PROT_WRITE;
    const int pages = use == PageUse::AllAtOnce ? MAP_POPULATE : MAP_NORESERVE;
    void* data = mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | pages, -1, 0);
    if (data == MAP_FAILED) return std::nullopt;
    return AddressSpace(static_cast<std::byte*>(data), bytes);
}

AddressSpace::~AddressSpace() {
    if (data_ != nullptr) munmap(data_, bytes_);
}

}  // namespace pshard
