// How copies are timed.
//
// In:   a queue, a block of host memory, and how calm a median must be.
// Out:  rates of copies of one size and of gathered slices; the seconds of a copy's setup, of a
//       hand-over between GPU and CPU, and of an event.
//
//     host memory    |copy 0|copy 1|copy 2|        the next sample goes on where this one ended
//     device memory  |copy 0|copy 1|copy 2|
//
//     sample = queue n copies, wait once           64 MiB in n copies, but at most 64 of them
//
// A small cost is the difference of two samples, or what is left of one without the known costs:
//
//     setup       (256 small copies - 32 small copies) / 224 - their bytes at the full rate
//     hand-over   (kernel, copy down, wait, copy up - launch - 2 setups) / 2
//
// Traps: the copies of a rate or a setup take one stretch of the host memory after the other, since
// a cache would hold one that comes again. Slices begin at random pages, as experts do. A
// difference may come out below 0, and is then taken for 0.
#include "probe/copy_timing.h"

#include <algorithm>
#include <random>
#include <vector>

#include "probe/tiny_graph.h"

namespace pshard {

namespace {

constexpr Bytes kBytesPerSample = 64 * kMiB;  // smaller copies share a sample
constexpr Bytes kMostCopies = 64;             // of one sample
constexpr Bytes kSliceBytesPerSample = 64'000'000;
constexpr Bytes kPage = 4 * kKiB;
constexpr Bytes kSmallCopies = 256;
constexpr Bytes kFewSmallCopies = 32;
constexpr int kHandOvers = 16;
constexpr int kEvents = 64;

// Gives one stretch of a memory after the other, and begins again at its end.
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
