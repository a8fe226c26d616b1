// Host memory that a device copies from directly: such copies reach the full rate of the link and
// hold nobody. Memory is page-locked where it lies; where the driver refuses that, its bytes move
// to host buffers of the device's, and their own pages are given back. So there is one copy of them
// in memory either way, and who reads or writes them asks where they lie.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <vector>

#include "base/host_pages.h"
#include "base/progress.h"
#include "ggml_kit/handles.h"
#include "ggml_kit/page_lock.h"

namespace pshard {

// Bytes that are uploaded again and again.
struct Uploaded {
    HostRange range;
    // Nobody reads or writes them but by this PageLocks: they may leave their pages. If not, they
    // may only where a file stands behind them.
    bool ours = false;
    int rank = 0;  // the lowest gain most, and are locked first

    bool operator==(const Uploaded&) const = default;
};

[[nodiscard]] Bytes total_bytes(const std::vector<HostRange>& ranges);

// Neighbours of one rank as one run, by rank and address: what lies between two of a run is less
// than a page.
[[nodiscard]] std::vector<std::vector<Uploaded>> runs_of(std::vector<Uploaded> wanted);

// All locks of a process. They change only while nothing is copied.
class PageLocks {
public:
    // Locks at most `limit` bytes at a time.
    PageLocks(ggml_backend_dev_t device, Bytes limit);

    PageLocks(const PageLocks&) = delete;
    PageLocks& operator=(const PageLocks&) = delete;

    // Ranges that are locked until this goes; what has moved is then back in its own pages. Their
    // memory must outlive it or be forgotten before, and so must the PageLocks.
    class Lock {
    public:
        Lock() = default;
        Lock(Lock&& other) noexcept;
        Lock& operator=(Lock&& other) noexcept;
        ~Lock();

        [[nodiscard]] Bytes bytes() const { return total_bytes(ranges_); }

    private:
        friend class PageLocks;
        PageLocks* locks_ = nullptr;
        std::vector<HostRange> ranges_;
    };

    // Locks the ranges, as far as the limit and the driver allow: what is over it is left out at
    // the end of the order. In pieces of at most kMostAtOnce, but memory of ours moves in whole
    // ranges. A lock reads its pages from the disk. `on_progress` is told of MiB.
    [[nodiscard]] Lock lock(std::vector<Uploaded> wanted, const OnProgress& on_progress = {});

    // Drops all locks within memory that goes: what has moved from there is lost. Whose Lock they
    // were must let go of it before the addresses are locked anew.
    void forget(const std::byte* data, Bytes bytes);

    // The longest beginning of the bytes that lies together, and where it lies.
    struct Piece {
        std::byte* data = nullptr;
        Bytes bytes = 0;
        bool locked = false;
        bool writable = false;  // locked, and the device may write there too
    };

    [[nodiscard]] Piece piece(const void* data, Bytes bytes) const;

    // Calls visit(where they lie, how many) for the bytes, one piece after the other.
    template <typename Visit>
    void visit(const void* data, Bytes bytes, const Visit& visit) const {
        for (Bytes done = 0; done < bytes;) {
            const Piece one = piece(static_cast<const std::byte*>(data) + done, bytes - done);
            visit(one.data, one.bytes);
            done += one.bytes;
        }
    }

    // Where all of the bytes are read together: where they have moved to, else their own place.
    [[nodiscard]] std::byte* whole(const void* data, Bytes bytes) const;

    // Whether bytes have moved to host buffers of the device's, as it does not lock in place.
    [[nodiscard]] bool moves() const { return !locks_in_place_; }

    // A piece that is locked is not larger: some drivers refuse large ones, and while bytes move
    // they lie in memory twice.
    static constexpr Bytes kMostAtOnce = 512 * kMiB;

private:
    enum class Grant { All, OverLimit, Refused };

    struct Locked {
        Bytes bytes = 0;
        std::optional<PageLock> in_place{};  // else they have moved:
        BufferHandle buffer{};
        std::byte* data = nullptr;
        bool ours = false;
    };

    struct Locking;

    using Blocks = std::map<const std::byte*, Locked>;

    [[nodiscard]] std::vector<HostRange> free_parts(const HostRange& range) const;
    void lock_in_place(std::span<const Uploaded> run, Locking& locking);
    void move(std::span<const Uploaded> run, Locking& locking);
    Grant cover(std::span<const HostRange> pieces, Locking& locking);
    Grant add(const HostRange& range, Locking& locking);
    std::optional<Locked> locked_in_place(const HostRange& range, Locking& locking) const;
    std::optional<Locked> moved(const HostRange& range, Locking& locking) const;
    void remove(const HostRange& range);
    [[nodiscard]] Blocks::const_iterator block_of(const std::byte* data) const;

    ggml_backend_dev_t device_;
    Bytes left_;
    bool locks_in_place_;
    Blocks blocks_;  // by first byte
};

}  // namespace pshard
