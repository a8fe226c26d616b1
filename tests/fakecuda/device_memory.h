// What is allocated on the cards, by kind. Device memory is address space that nobody may touch: a
// host that reads or writes it by mistake ends with a segmentation fault.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "simgpu/segment_map.h"

namespace pshard::fakecuda {

enum class MemoryKind : std::size_t { Buffers, Pools, Graphs, Contexts, Count };

inline constexpr std::size_t kMemoryKinds = static_cast<std::size_t>(MemoryKind::Count);

using BytesByKind = std::array<std::uint64_t, kMemoryKinds>;

std::uint64_t total(const BytesByKind& bytes);

class DeviceMemory {
public:
    void begin_again(int n_devices, std::size_t bytes_of_each);

    // Takes bytes of a card without an address; false where it has not so many left.
    bool take(int device, MemoryKind kind, std::size_t bytes);
    void give_back(int device, MemoryKind kind, std::size_t bytes);

    // Address space for `bytes`; nullptr: there is none.
    static void* reserve(std::size_t bytes);
    static void unreserve(void* data, std::size_t bytes);

    struct Block {
        std::size_t bytes = 0;
        int device = 0;
        MemoryKind kind = MemoryKind::Buffers;
    };

    void put(const void* data, Block block);
    [[nodiscard]] const Block* begins_at(const void* data) const;
    // The block in which the address lies; nullptr: none.
    [[nodiscard]] const Block* block_of(const void* data) const;
    // Drops the blocks that lie in the range, and tells them with their addresses.
    std::vector<std::pair<std::uintptr_t, Block>> drop(simgpu::Range range);

    [[nodiscard]] std::size_t free_bytes(int device) const;

    [[nodiscard]] std::size_t total_bytes() const { return bytes_of_each_; }

    // The most at one time since the last call.
    BytesByKind take_peak(int device);

    [[nodiscard]] const BytesByKind& peak(int device) const {
        return cards_.at(static_cast<std::size_t>(device)).peak;
    }

private:
    struct Card {
        BytesByKind now{};
        BytesByKind peak{};
    };

    std::vector<Card> cards_;
    std::size_t bytes_of_each_ = 0;
    std::map<std::uintptr_t, Block> blocks_;
};

}  // namespace pshard::fakecuda
