#include "probe/copy_timing.h"

#include <algorithm>
#include <random>
#include <vector>

#include "probe/tiny_graph.h"

namespace pshard {

namespace {

constexpr Bytes kBytesPerSample = 64 * kMiB;  // copies that are smaller share a sample
constexpr Bytes kMostCopies = 64;             // in a sample
constexpr Bytes kSliceBytesPerSample = 64'000'000;
constexpr Bytes kPage = 4 * kKiB;
constexpr Bytes kSmallCopies = 256;
constexpr Bytes kFewSmallCopies = 32;
constexpr int kHandOvers = 16;
constexpr int kEvents = 64;

// Stretches one after the other, around and around.
class Rotation {
public:
    explicit Rotation(Bytes total) : total_(total) {}

    Bytes next(Bytes size) {
        const Bytes at = next_ + size <= total_ ? next_ : 0;
        next_ = at + size;
        return at;
    }

private:
    Bytes total_;
    Bytes next_ = 0;
};

// Where a copy begins on both sides, in bytes.
struct Places {
    Bytes host = 0;
    Bytes device = 0;
};

void queue_copies(const CopyBench& bench, Way way, const std::vector<Places>& places, Bytes size) {
    for (const Places& at : places) {
        if (way == Way::Up) {
            bench.queue.upload(bench.host.data() + at.host, at.device, size);
        } else {
            bench.queue.download(bench.host.data() + at.host, at.device, size);
        }
    }
}

Seconds time_copies(const CopyBench& bench,
                    Way way,
                    const std::vector<Places>& places,
                    Bytes size) {
    return time_of([&] {
        queue_copies(bench, way, places, size);
        bench.queue.wait();
    });
}

Seconds median_of_row(const CopyBench& bench, Way way, Bytes n, Bytes size) {
    Rotation host(bench.host.bytes());
    Rotation device(bench.queue.capacity());
    std::vector<Places> places(n);
    const auto measure = [&] {
        for (Places& at : places) at = {host.next(size), device.next(size)};
        return time_copies(bench, way, places, size);
    };
    return sample(measure, bench.policy).median;
}

void queue_hand_overs(const CopyBench& bench, const TinyGraph& kernel, Status& last) {
    for (int i = 0; i < kHandOvers && last; i++) {
        last = kernel.compute(bench.queue.backend());
        bench.queue.download(bench.host.data(), 0, kPage);
        bench.queue.wait();
        bench.queue.upload(bench.host.data(), 0, kPage);
    }
    bench.queue.wait();
}

void queue_events(ggml_backend_t first, ggml_backend_t second, ggml_backend_event_t event) {
    for (int i = 0; i < kEvents; i++) {
        ggml_backend_event_record(event, first);
        ggml_backend_event_wait(second, event);
    }
    ggml_backend_synchronize(first);
    ggml_backend_synchronize(second);
}

}  // namespace

double copy_rate(const CopyBench& bench, Way way, Bytes size) {
    const Bytes n = std::clamp<Bytes>(kBytesPerSample / size, 1, kMostCopies);
    return double(n * size) / median_of_row(bench, way, n, size);
}

double slice_rate(const CopyBench& bench, Bytes slice) {
    std::mt19937_64 random(1);
    std::uniform_int_distribution<Bytes> page(0, (bench.host.bytes() - slice) / kPage);
    Rotation device(bench.queue.capacity());
    std::vector<Places> places(std::max<Bytes>(2, kSliceBytesPerSample / slice));
    const auto measure = [&] {
        for (Places& at : places) at = {page(random) * kPage, device.next(slice)};
        return time_copies(bench, Way::Up, places, slice);
    };
    return double(places.size() * slice) / sample(measure, bench.policy).median;
}

Seconds copy_setup(const CopyBench& bench, double bytes_per_second) {
    const Seconds few = median_of_row(bench, Way::Up, kFewSmallCopies, kPage);
    const Seconds many = median_of_row(bench, Way::Up, kSmallCopies, kPage);
    const Seconds each = (many - few) / double(kSmallCopies - kFewSmallCopies);
    return std::max(0.0, each - double(kPage) / bytes_per_second);
}

Result<Seconds> hand_over(const CopyBench& bench, const KnownCosts& known) {
    ggml_backend_dev_t device = ggml_backend_get_device(bench.queue.backend());
    const Result<TinyGraph> kernel = TinyGraph::make(device, 1, 1);
    if (!kernel) return kernel.error();
    Status last = Done{};
    const auto measure = [&] {
        return time_of([&] { queue_hand_overs(bench, kernel.value(), last); });
    };
    const Seconds round = sample(measure, bench.policy).median / kHandOvers;
    if (!last) return last.error();
    return std::max(0.0, round - known.launch - 2 * known.setup) / 2;
}

std::optional<Seconds> event_cost(const CopyQueue& first,
                                  const CopyQueue& second,
                                  const SamplePolicy& policy) {
    const EventHandle event(ggml_backend_event_new(ggml_backend_get_device(first.backend())));
    if (!event) return std::nullopt;
    const auto measure = [&] {
        return time_of([&] { queue_events(first.backend(), second.backend(), event.get()); });
    };
    return sample(measure, policy).median / kEvents;
}

}  // namespace pshard
