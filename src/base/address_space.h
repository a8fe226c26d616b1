// A stretch of address space of our own.
#pragma once

#include <cstddef>
#include <optional>
#include <utility>

#include "base/units.h"

namespace pshard {

enum class PageUse {
    None,       // addresses only: to touch them is a fault
    OnDemand,   // zero pages, which take memory when they are written
    AllAtOnce,  // each page takes its memory at once
};

class AddressSpace {
public:
    // nullopt: the system has not so much.
    static std::optional<AddressSpace> reserve(Bytes bytes, PageUse use);

    AddressSpace(AddressSpace&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_) {}

    AddressSpace(const AddressSpace&) = delete;
    AddressSpace& operator=(const AddressSpace&) = delete;
    AddressSpace& operator=(AddressSpace&&) = delete;
    ~AddressSpace();

    // The caller unmaps it.
    [[nodiscard]] std::byte* release() { return std::exchange(data_, nullptr); }

    [[nodiscard]] std::byte* data() const { return data_; }

    [[nodiscard]] Bytes bytes() const { return bytes_; }

private:
    AddressSpace(std::byte* data, Bytes bytes) : data_(data), bytes_(bytes) {}

    std::byte* data_;
    Bytes bytes_;
};

}  // namespace pshard
