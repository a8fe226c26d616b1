#include "fakecuda/device_memory.h"

#include <iterator>
#include <numeric>

#include <sys/mman.h>

namespace pshard::fakecuda {

namespace {

std::uintptr_t address_of(const void* data) { return reinterpret_cast<std::uintptr_t>(data); }

}  // namespace

std::uint64_t total(const BytesByKind& bytes) {
    return std::accumulate(bytes.begin(), bytes.end(), std::uint64_t{0});
}

void DeviceMemory::begin_again(int n_devices, std::size_t bytes_of_each) {
    for (const auto& [begin, block] : blocks_) {
        unreserve(reinterpret_cast<void*>(begin), block.bytes);
    }
    blocks_.clear();
    cards_.assign(static_cast<std::size_t>(n_devices), {});
    bytes_of_each_ = bytes_of_each;
}

bool DeviceMemory::take(int device, MemoryKind kind, std::size_t bytes) {
    if (bytes > free_bytes(device)) return false;
    Card& card = cards_[static_cast<std::size_t>(device)];
    card.now[static_cast<std::size_t>(kind)] += bytes;
    if (total(card.now) > total(card.peak)) card.peak = card.now;
    return true;
}

void DeviceMemory::give_back(int device, MemoryKind kind, std::size_t bytes) {
    cards_[static_cast<std::size_t>(device)].now[static_cast<std::size_t>(kind)] -= bytes;
}

void* DeviceMemory::reserve(std::size_t bytes) {
    void* data =
        mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return data == MAP_FAILED ? nullptr : data;
}

void DeviceMemory::unreserve(void* data, std::size_t bytes) { munmap(data, bytes); }

void DeviceMemory::put(const void* data, Block block) { blocks_[address_of(data)] = block; }

const DeviceMemory::Block* DeviceMemory::begins_at(const void* data) const {
    const auto found = blocks_.find(address_of(data));
    return found == blocks_.end() ? nullptr : &found->second;
}

const DeviceMemory::Block* DeviceMemory::block_of(const void* data) const {
    const auto after = blocks_.upper_bound(address_of(data));
    if (after == blocks_.begin()) return nullptr;
    const auto& [begin, block] = *std::prev(after);
    return address_of(data) < begin + block.bytes ? &block : nullptr;
}

std::vector<std::pair<std::uintptr_t, DeviceMemory::Block>> DeviceMemory::drop(
    simgpu::Range range) {
    const auto first = blocks_.lower_bound(range.begin);
    const auto last = blocks_.lower_bound(range.end);
    std::vector<std::pair<std::uintptr_t, Block>> dropped(first, last);
    blocks_.erase(first, last);
    return dropped;
}

std::size_t DeviceMemory::free_bytes(int device) const {
    return bytes_of_each_ - total(cards_.at(static_cast<std::size_t>(device)).now);
}

BytesByKind DeviceMemory::take_peak(int device) {
    Card& card = cards_.at(static_cast<std::size_t>(device));
    const BytesByKind peak = card.peak;
    card.peak = card.now;
    return peak;
}

}  // namespace pshard::fakecuda
