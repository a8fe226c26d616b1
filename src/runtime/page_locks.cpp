// Decides what is locked, and how. In: ranges of host memory that are uploaded again and again,
// most of them weights in a mapped file. Out: blocks, each page-locked in place or moved to a host
// buffer of the device's, within a limit.
//
//   ranges   [   w0   ][w1 ]      [     w2     ]          runs: neighbours of one rank
//   in place |....|....|....|    |....|....|....|         whole pages around a run
//   moved    [   w0   |w1 ]      [     w2     ]           the bytes themselves; their pages go
//
// A run is covered from its beginning, in blocks of kMostAtOnce at most. A block that is over the
// limit or that the driver refuses is halved, between two ranges where it has several, until what
// is left is not worth a lock. So what is locked is the beginning of the order, and whoever copies
// across the border of two blocks does so in two copies (piece()): a driver may refuse one that
// begins in a locked page and ends outside.
//
// Once the driver refuses a small block in place, it is taken for one that locks no mapping (as
// many do, of files that they may only read), and all that comes later moves. Bytes move block by
// block: the source's pages are given back as soon as a block is filled, so that no more than a
// block lies in memory twice. Who may read bytes at their old place, the traps:
//
//   a mapped file    anybody: its pages come back from the file. Ranges may be cut anywhere
//   memory of ours   nobody: it reads as zeroes then. All who hold llama.cpp's address ask piece()
//                    or whole(), and a range is never cut, as the CPU computes from whole tensors
//   any other        its owner, so it does not move
//
// Blocks change only while nothing is copied, so that piece(), which a copying thread asks, needs
// no lock of its own.
#include "runtime/page_locks.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <tuple>
#include <utility>

#include "base/copy_threads.h"
#include "ggml_kit/device.h"

namespace pshard {
namespace {

// A run of fewer bytes is not worth a lock of its own.
constexpr Bytes kLeastLock = 64 * kKiB;

// A block is not cut into smaller ones.
constexpr Bytes kLeastCut = 1 * kMiB;

// How far reading is told, and how much is copied before it is.
constexpr Bytes kStep = 64 * kMiB;

HostRange span_of(std::span<const HostRange> pieces) {
    return {pieces.front().data, static_cast<Bytes>(pieces.back().end() - pieces.front().data)};
}

std::vector<HostRange> ranges_of(std::span<const Uploaded> run) {
    std::vector<HostRange> ranges;
    for (const Uploaded& one : run) ranges.push_back(one.range);
    return ranges;
}

}  // namespace

// What one call of lock() knows.
struct PageLocks::Locking {
    Lock& lock;
    const FileMappings mappings;
    const OnProgress& on_progress;
    CopyThreads threads{CopyThreads::alone()};
    Bytes all = 0;
    Bytes done = 0;
    bool in_place = false;  // of the run that is covered now, as below
    bool cuts = false;
    bool ours = false;

    void tell(Bytes step) {
        done += step;
        if (on_progress) on_progress(std::min(done, all) / kMiB, all / kMiB);
    }
};

Bytes total_bytes(const std::vector<HostRange>& ranges) {
    Bytes bytes = 0;
    for (const HostRange& range : ranges) bytes += range.bytes;
    return bytes;
}

std::vector<std::vector<Uploaded>> runs_of(std::vector<Uploaded> wanted) {
    std::ranges::sort(wanted, [](const Uploaded& a, const Uploaded& b) {
        return std::tie(a.rank, a.range.data) < std::tie(b.rank, b.range.data);
    });
    const Bytes page = page_bytes();
    std::vector<std::vector<Uploaded>> runs;
    for (const Uploaded& one : wanted) {
        const Uploaded* last = runs.empty() ? nullptr : &runs.back().back();
        const bool joins = last != nullptr && last->rank == one.rank && last->ours == one.ours &&
                           one.range.data >= last->range.end() &&
                           one.range.data < last->range.end() + page;
        if (!joins) runs.emplace_back();
        runs.back().push_back(one);
    }
    return runs;
}

PageLocks::PageLocks(ggml_backend_dev_t device, Bytes limit)
    : device_(device), left_(limit), locks_in_place_(PageLock::is_offered(device)) {}

PageLocks::Lock PageLocks::lock(std::vector<Uploaded> wanted, const OnProgress& on_progress) {
    Lock lock;
    lock.locks_ = this;
    if (wanted.empty()) return lock;
    const std::vector<std::vector<Uploaded>> runs = runs_of(std::move(wanted));
    Locking locking{lock, FileMappings::read(), on_progress};
    for (const auto& run : runs) locking.all += total_bytes(ranges_of(run));
    for (const auto& run : runs) {
        if (span_of(ranges_of(run)).bytes < kLeastLock || left_ < kLeastLock) continue;
        if (locks_in_place_) lock_in_place(run, locking);
        if (!locks_in_place_) move(run, locking);
    }
    return lock;
}

// The parts of a range that lie in no block.
std::vector<HostRange> PageLocks::free_parts(const HostRange& range) const {
    std::vector<HostRange> parts;
    const std::byte* at = range.data;
    auto block = block_of(range.data);
    if (block == blocks_.end()) block = blocks_.lower_bound(range.data);
    for (; block != blocks_.end() && block->first < range.end(); ++block) {
        if (block->first > at) parts.push_back({at, static_cast<Bytes>(block->first - at)});
        at = block->first + block->second.bytes;
    }
    if (at < range.end()) parts.push_back({at, static_cast<Bytes>(range.end() - at)});
    return parts;
}

void PageLocks::lock_in_place(std::span<const Uploaded> run, Locking& locking) {
    locking.in_place = true;
    locking.cuts = true;
    const HostRange pages = pages_around(span_of(ranges_of(run)), page_bytes());
    for (const HostRange& part : free_parts(pages)) {
        const Grant grant = cover({&part, 1}, locking);
        if (grant == Grant::Refused) locks_in_place_ = false;
        if (grant != Grant::All) return;
    }
}

void PageLocks::move(std::span<const Uploaded> run, Locking& locking) {
    locking.in_place = false;
    locking.ours = run.front().ours;
    locking.cuts = !locking.ours;
    std::vector<HostRange> pieces;
    for (const Uploaded& one : run) {
        const std::vector<HostRange> parts = free_parts(one.range);
        const bool whole = parts == std::vector{one.range};
        const bool may_move = locking.ours ? whole : locking.mappings.hold(one.range);
        if (may_move) pieces.insert(pieces.end(), parts.begin(), parts.end());
    }
    if (!pieces.empty()) cover(pieces, locking);
}

// Locks the pieces, or their beginning.
PageLocks::Grant PageLocks::cover(std::span<const HostRange> pieces, Locking& locking) {
    const HostRange all = span_of(pieces);
    const bool is_one = pieces.size() == 1;
    Grant grant = Grant::OverLimit;
    if (all.bytes <= kMostAtOnce || (is_one && !locking.cuts)) grant = add(all, locking);
    if (grant == Grant::All) return grant;
    std::vector<HostRange> halves(pieces.begin(), pieces.end());
    if (is_one) {
        if (!locking.cuts || all.bytes < 2 * kLeastCut) return grant;
        const HostRange first = pages_inside({all.data, all.bytes / 2}, page_bytes());
        const auto half = static_cast<Bytes>(first.end() - all.data);
        halves = {{all.data, half}, {all.data + half, all.bytes - half}};
    }
    const std::span<const HostRange> both = halves;
    grant = cover(both.first(both.size() / 2), locking);
    return grant == Grant::All ? cover(both.subspan(both.size() / 2), locking) : grant;
}

PageLocks::Grant PageLocks::add(const HostRange& range, Locking& locking) {
    if (range.bytes > left_) return Grant::OverLimit;
    std::optional<Locked> block =
        locking.in_place ? locked_in_place(range, locking) : moved(range, locking);
    if (!block) return Grant::Refused;
    left_ -= range.bytes;
    blocks_.emplace(range.data, std::move(*block));
    locking.lock.ranges_.push_back(range);
    if (!locking.in_place) give_back_pages(range);  // once it is known where the bytes are now
    return Grant::All;
}

// Reads pages from the disk before they are locked, which is most of the time that a lock takes: a
// driver locks a block in one call, and tells nobody how far it is.
std::optional<PageLocks::Locked> PageLocks::locked_in_place(const HostRange& range,
                                                            Locking& locking) const {
    for (Bytes at = 0; locking.on_progress && at < range.bytes; at += kStep) {
        const Bytes step = std::min(kStep, range.bytes - at);
        fetch_pages({range.data + at, step});
        locking.tell(step);
    }
    Result<PageLock> lock = PageLock::make(device_, range.data, range.bytes);
    if (!lock) return std::nullopt;
    Locked block{.bytes = range.bytes, .data = const_cast<std::byte*>(range.data)};
    block.in_place.emplace(std::move(lock).value());
    return block;
}

// The copy begins as far behind a page as its source does, so that what was aligned is.
std::optional<PageLocks::Locked> PageLocks::moved(const HostRange& range, Locking& locking) const {
    const Bytes page = page_bytes();
    BufferHandle buffer = pinned_memory(device_, range.bytes + 2 * page);
    if (buffer == nullptr) return std::nullopt;
    auto* base = static_cast<std::byte*>(ggml_backend_buffer_get_base(buffer.get()));
    const HostRange room = pages_inside({base, range.bytes + 2 * page}, page);
    const Bytes behind = reinterpret_cast<std::uintptr_t>(range.data) % page;
    auto* data = const_cast<std::byte*>(room.data) + behind;
    for (Bytes at = 0; at < range.bytes; at += kStep) {
        const Bytes step = std::min(kStep, range.bytes - at);
        locking.threads.copy(data + at, range.data + at, step);
        locking.tell(step);
    }
    return Locked{range.bytes, std::nullopt, std::move(buffer), data, locking.ours};
}

void PageLocks::remove(const HostRange& range) {
    const auto found = blocks_.find(range.data);
    if (found == blocks_.end()) return;
    const Locked& block = found->second;
    if (block.ours) std::memcpy(const_cast<std::byte*>(range.data), block.data, block.bytes);
    left_ += block.bytes;
    blocks_.erase(found);
}

// A block of moved memory may go on in a neighbour that stays, whose bytes lie nowhere else: they
// come home.
void PageLocks::forget(const std::byte* data, Bytes bytes) {
    const std::byte* end = data + bytes;
    for (auto found = blocks_.lower_bound(data); found != blocks_.end() && found->first < end;) {
        const Locked& block = found->second;
        if (block.ours && found->first + block.bytes > end) {
            const auto gone = static_cast<Bytes>(end - found->first);
            std::memcpy(const_cast<std::byte*>(end), block.data + gone, block.bytes - gone);
        }
        left_ += block.bytes;
        found = blocks_.erase(found);
    }
}

// The block that an address lies in; end(): none.
PageLocks::Blocks::const_iterator PageLocks::block_of(const std::byte* data) const {
    const auto next = blocks_.upper_bound(data);
    if (next == blocks_.begin()) return blocks_.end();
    const auto block = std::prev(next);
    return data < block->first + block->second.bytes ? block : blocks_.end();
}

PageLocks::Piece PageLocks::piece(const void* data, Bytes bytes) const {
    const auto* begin = static_cast<const std::byte*>(data);
    if (const auto found = block_of(begin); found != blocks_.end()) {
        const Locked& block = found->second;
        const auto offset = static_cast<Bytes>(begin - found->first);
        return {block.data + offset,
                std::min(bytes, block.bytes - offset),
                true,
                !block.in_place.has_value()};
    }
    const auto next = blocks_.lower_bound(begin);
    const bool meets = next != blocks_.end() && next->first < begin + bytes;
    return {const_cast<std::byte*>(begin),
            meets ? static_cast<Bytes>(next->first - begin) : bytes,
            false,
            false};
}

std::byte* PageLocks::whole(const void* data, Bytes bytes) const {
    const Piece one = piece(data, bytes);
    const bool together = one.bytes == bytes;
    return together ? one.data : const_cast<std::byte*>(static_cast<const std::byte*>(data));
}

// ---- one lock ----

PageLocks::Lock::Lock(Lock&& other) noexcept
    : locks_(other.locks_), ranges_(std::exchange(other.ranges_, {})) {}

PageLocks::Lock& PageLocks::Lock::operator=(Lock&& other) noexcept {
    std::swap(locks_, other.locks_);
    std::swap(ranges_, other.ranges_);
    return *this;
}

PageLocks::Lock::~Lock() {
    for (const HostRange& range : ranges_) locks_->remove(range);
}

}  // namespace pshard
