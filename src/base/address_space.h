// A stretch of address space that belongs to its object, and is unmapped with it.
#pragma once

#include <cstddef>
#include <optional>
#include <utility>

#include "base/units.h"

namespace pshard {

enum class PageUse {
    None,       // the addresses have no memory: whoever touches them crashes
    OnDemand,   // a page reads as zeros, and takes memory when it is first written
    AllAtOnce,  // every page takes its memory in `reserve`
};

class AddressSpace {
public:
    // nullopt if the system refuses so many bytes.
    static std::optional<AddressSpace> reserve(Bytes bytes, PageUse use);

    AddressSpace(AddressSpace&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_) {}

    AddressSpace(const AddressSpace&) = delete;
    AddressSpace& operator=(const AddressSpace&) = delete;
    AddressSpace& operator=(AddressSpace&&) = delete;
    ~AddressSpace();

    // The addresses, which the caller must unmap from now on.
    [[nodiscard]] std::byte* release() { return std::exchange(data_, nullptr); }

    [[nodiscard]] std::byte* data() const { return data_; }

    [[nodiscard]] Bytes bytes() const { return bytes_; }

private:
    AddressSpace(std::byte* data, Bytes bytes) : data_(data), bytes_(bytes) {}

    std::byte* data_;
    Bytes bytes_;
};

}  // namespace pshard
