// How the figures of a link are measured, one step after the other.
//
// In:   a device, how much host memory may be used, and how thorough to be.
// Out:  a LinkProfile, and notes about what could not be measured.
//
//     copies from pinned, registered and pageable memory     by size, each way alone
//     small copies, gathered slices, hand-overs, events      from the best memory that was found
//     both directions at once                                uploads against a CopyLoad
//     copies while the device computes                       uploads against a ComputeLoad
//     page-locking                                           only if registered memory was found
//
// The best kind of memory comes first: all later steps use it, and a user who stops early loses the
// least. The largest copies of a kind give its rate.
//
// Traps: a device may not write to registered memory, so that has rates up alone and is not used
// for the later steps. A step that fails leaves its figures unknown and a note; only a device that
// does not open, or that can copy from no memory, is an error. The host memory is freed before
// pages are locked, since the ceiling of page-locking may be all the memory that there is.
#include "probe/link_probe.h"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "machine/host_memory.h"
#include "probe/compute_load.h"
#include "probe/copy_load.h"
#include "probe/copy_timing.h"
#include "probe/page_lock_probe.h"

namespace pshard {

namespace {

constexpr std::array kFastSizes = {64 * kKiB, kMiB, 16 * kMiB, 256 * kMiB};
constexpr std::array kFullSizes = {
    64 * kKiB, 256 * kKiB, kMiB, 4 * kMiB, 16 * kMiB, 64 * kMiB, 256 * kMiB};
constexpr std::array kSlices = {0.5, 2.0, 8.0, 32.0};  // MB of 1e6 bytes: PCIe_Sliced [S3]
constexpr Bytes kLeastBytes = 4 * kMiB;
constexpr Bytes kFastLock = 256 * kMiB;
constexpr Bytes kLockChunk = 2 * kGiB;  // Host_Pin_Ceiling [S3]
constexpr double kLockShare = 0.9;
constexpr int kSteps = 9;

double gb(double bytes_per_second) { return bytes_per_second / 1e9; }

double us(Seconds seconds) { return seconds * 1e6; }

class LinkBench {
public:
    LinkBench(ggml_backend_dev_t device, const LinkProbeOptions& options)
        : device_(device), options_(options) {}

    Result<LinkProbe> run() {
        Result<CopyQueue> queue = CopyQueue::open(device_, options_.host_bytes, kLeastBytes);
        if (!queue) return queue.error();
        queue_.emplace(std::move(queue).value());
        if (queue_->capacity() < options_.host_bytes) {
            note(fmt::format("device memory is short: copies of at most {:.0f} MiB were measured",
                             in_mib(queue_->capacity())));
        }
        measure_kinds();
        if (!host_ && !last_reason_.empty()) {
            return Error{"no host memory to copy from: " + last_reason_, {}};
        }
        if (!host_) return std::move(probe_);  // stopped before anything was measured
        measure_small_costs();
        measure_under_load();
        measure_page_lock();
        return std::move(probe_);
    }

private:
    LinkProfile& link() { return probe_.link; }

    void note(const std::string& text) { probe_.notes.push_back(text); }

    // Reports the next step; false if the user wants to stop before it.
    bool begin(const std::string& what) {
        if (options_.wants_stop && options_.wants_stop()) return false;
        if (options_.on_progress) options_.on_progress(what, double(step_) / kSteps);
        step_++;
        return true;
    }

    [[nodiscard]] CopyBench bench(const HostBlock& host) {
        return CopyBench{*queue_, host, options_.policy};
    }

    // Measures copies from each kind of memory, the best kind first, and keeps the first memory
    // that the device can write to.
    void measure_kinds() {
        for (const CopySource kind :
             {CopySource::Pinned, CopySource::Registered, CopySource::Pageable}) {
            if (!begin(fmt::format("copies from {} memory", name_of(kind)))) return;
            Result<HostBlock> host = HostBlock::make(kind, device_, queue_->capacity());
            if (!host) {
                last_reason_ = host.error().message;
                note(last_reason_);
                continue;
            }
            const CopyPoint largest = measure_copies(kind, host.value());
            keep(largest);
            if (!host_ && host.value().writable()) {
                host_.emplace(std::move(host).value());
                h2d_ = largest.h2d_gb_per_s * 1e9;
            }
        }
    }

    CopyPoint measure_copies(CopySource kind, const HostBlock& host) {
        CopyPoint point{kind};
        for (const Bytes size : sizes()) {
            if (size > host.bytes()) break;
            point.mb = double(size) / 1e6;
            point.h2d_gb_per_s = gb(copy_rate(bench(host), Way::Up, size));
            if (host.writable()) {
                point.d2h_gb_per_s = gb(copy_rate(bench(host), Way::Down, size));
            }
            link().copies.push_back(point);
        }
        return point;
    }

    void keep(const CopyPoint& largest) {
        const double h2d = largest.h2d_gb_per_s;
        if (largest.source == CopySource::Pageable) link().pageable_gb_per_s = h2d;
        if (largest.source == CopySource::Registered) link().registered_gb_per_s = h2d;
        const bool locked = largest.source != CopySource::Pageable;
        if (locked && !link().standalone_gb_per_s) link().standalone_gb_per_s = h2d;
        if (!link().d2h_gb_per_s) link().d2h_gb_per_s = largest.d2h_gb_per_s;
    }

    [[nodiscard]] std::vector<Bytes> sizes() const {
        if (options_.full) return {kFullSizes.begin(), kFullSizes.end()};
        return {kFastSizes.begin(), kFastSizes.end()};
    }

    void measure_small_costs() {
        if (!begin("small copies")) return;
        const Seconds setup = copy_setup(bench(*host_), h2d_);
        link().copy_setup_us = us(setup);
        if (!begin("gathered slices")) return;
        for (const double mb : kSlices) {
            const auto slice = static_cast<Bytes>(mb * 1e6);
            if (2 * slice > host_->bytes()) break;
            link().sliced.push_back({mb, gb(slice_rate(bench(*host_), slice))});
        }
        if (!begin("hand-overs and events")) return;
        measure_hand_overs(setup);
    }

    void measure_hand_overs(Seconds setup) {
        const Result<Seconds> switched = hand_over(bench(*host_), {options_.kernel_launch, setup});
        if (switched) {
            link().engine_switch_us = us(switched.value());
        } else {
            note(switched.error().message);
        }
        Result<CopyQueue> second = CopyQueue::open(device_, kLeastBytes, kLeastBytes);
        if (!second) return note(second.error().message);
        const auto event = event_cost(*queue_, second.value(), options_.policy);
        if (event) {
            link().event_us = us(*event);
        } else {
            note(fmt::format("{} has no events", ggml_backend_dev_name(device_)));
        }
    }

    void measure_under_load() {
        const Bytes size = std::min(16 * kMiB, host_->bytes());
        if (!begin("both directions at once")) return;
        measure_duplex(size);
        if (!begin("copies while the device computes")) return;
        const auto load = ComputeLoad::start(device_);
        if (!load) return note(load.error().message);
        link().under_gpu_gb_per_s = gb(copy_rate(bench(*host_), Way::Up, size));
    }

    // Times uploads while downloads run, and counts what came down in all of that time.
    void measure_duplex(Bytes size) {
        const auto down = CopyLoad::start(device_, {CopyDirection::Down, host_->bytes()});
        if (!down) return note(down.error().message);
        const Bytes before = down.value()->bytes();
        double up_rate = 0;
        const Seconds seconds = time_of([&] { up_rate = copy_rate(bench(*host_), Way::Up, size); });
        const double down_rate = double(down.value()->bytes() - before) / seconds;
        link().duplex_gb_per_s = gb(up_rate + down_rate);
    }

    void measure_page_lock() {
        if (!link().registered_gb_per_s || !begin("page-locking")) return;
        host_.reset();
        const auto spare = static_cast<Bytes>(kLockShare * double(available_host_memory()));
        const Result<PageLockCosts> costs =
            options_.full ? probe_page_lock(device_, kLockChunk, spare)
                          : probe_page_lock(device_, kFastLock, std::min(spare, 4 * kFastLock));
        if (!costs) return note(costs.error().message);
        link().register_s_per_gib = costs.value().seconds_per_gib;
        if (!options_.full) return;
        link().page_lock_ceiling_gb = double(costs.value().locked) / 1e9;
        if (!costs.value().refused) note("page-locking was not refused up to 90 % of free memory");
    }

    ggml_backend_dev_t device_;
    const LinkProbeOptions& options_;
    std::optional<CopyQueue> queue_{};
    std::optional<HostBlock> host_{};
    LinkProbe probe_{};
    std::string last_reason_{};
    double h2d_ = 0;  // bytes per second, from host_
    int step_ = 0;
};

}  // namespace

Result<LinkProbe> probe_link(ggml_backend_dev_t device, const LinkProbeOptions& options) {
    return LinkBench(device, options).run();
}

}  // namespace pshard
