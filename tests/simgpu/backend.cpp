// A backend instance: a stream of the device. All that is asked of it goes into its queue; the
// checker hears of it at once, in the order in which the host asks.
#include <algorithm>
#include <cstring>
#include <optional>

#include <ggml-impl.h>

#include "simgpu/fusion.h"
#include "simgpu/gpu.h"
#include "simgpu/graph_copy.h"
#include "simgpu/indexed_reads.h"
#include "simgpu/kernels.h"
#include "simgpu/tensor_access.h"

namespace pshard::simgpu {

namespace {

constexpr int kHostPoison = 0xab;

struct Stream {
    explicit Stream(Gpu& owner) : gpu(owner), use(std::make_shared<StreamUse>(owner.watch)) {}

    Gpu& gpu;
    std::shared_ptr<StreamUse> use;   // events may outlive the stream
    std::atomic<int> n_commands = 0;  // since the host waited for it
    Actor actor = kHost;
    Recorder recorder{};
    std::optional<Kernels> kernels{};  // of the queue's thread
    Worker queue{};
};

// What was recorded last, as the host sees it when it issues a wait.
struct Event {
    std::shared_ptr<Flag> flag{};  // null: nothing was ever recorded
    VectorClock clock{};
    std::shared_ptr<StreamUse> use{};  // of the stream that it was recorded on
    std::atomic<int> n_records = 0;    // since the host waited for it
};

Stream& stream_of(ggml_backend_t backend) { return *static_cast<Stream*>(backend->context); }

const char* backend_name(ggml_backend_t /*backend*/) { return "SIM0"; }

bool is_stream(ggml_backend_t backend) { return backend->iface.get_name == backend_name; }

void raise(std::atomic<int>& most, int n) {
    int seen = most;
    while (seen < n && !most.compare_exchange_weak(seen, n)) {
    }
}

// A call that tells the stream something.
StreamUse::Call tell(Stream& stream, const char* operation) {
    raise(stream.gpu.most_commands, ++stream.n_commands);
    return {*stream.use, operation};
}

std::byte* at(const ggml_tensor* tensor, std::size_t offset) {
    return static_cast<std::byte*>(tensor->data) + offset;
}

void synchronize(ggml_backend_t backend) {
    Stream& stream = stream_of(backend);
    const StreamUse::Call call(*stream.use, "synchronize");
    stream.queue.drain();
    stream.n_commands = 0;
    stream.gpu.watch.with(
        [&](Checker& checker) { checker.wait(kHost, checker.record(stream.actor)); });
}

void free_backend(ggml_backend_t backend) {
    Stream* stream = &stream_of(backend);
    synchronize(backend);
    {
        const std::lock_guard lock(stream->gpu.queues_mutex);
        stream->gpu.queues.erase(&stream->queue);
    }
    stream->gpu.watch.with([&](Checker& checker) { checker.drop_queue(stream->actor); });
    delete stream;
    delete backend;
}

// The caller copies to staging memory at the pageable rate; the rest follows behind it, in chunks.
void upload_by_staging(Stream& stream, const Copy& whole) {
    Gpu& gpu = stream.gpu;
    Throttle pace(gpu.upload.gbps() * gpu.settings.pageable_share);
    Clock::time_point through = Clock::now();
    for (std::size_t done = 0; done < whole.bytes; done += CopyEngine::kChunk) {
        const std::size_t bytes = std::min(CopyEngine::kChunk, whole.bytes - done);
        through = pace.through(through, bytes);
        std::this_thread::sleep_until(through);
        const auto staged =
            std::make_shared<std::vector<std::byte>>(whole.from + done, whole.from + done + bytes);
        stream.queue.post([&gpu, staged, to = whole.to + done] {
            gpu.upload.copy({to, staged->data(), staged->size()});
        });
    }
}

void set_tensor_async(ggml_backend_t backend,
                      ggml_tensor* tensor,
                      const void* data,
                      std::size_t offset,
                      std::size_t size) {
    Stream& stream = stream_of(backend);
    Gpu& gpu = stream.gpu;
    GGML_ASSERT(is_on(gpu, tensor) && "simgpu: set_tensor_async of a tensor elsewhere");
    const StreamUse::Call call = tell(stream, "set_tensor_async");
    const bool pinned = HostRanges::of_process().pinned(data, size);
    const Range source = range_of(data, size);
    const Access accesses[] = {
        {range_of(at(tensor, offset), size), true, Memory::Device, tensor->name},
        {source, false, Memory::Host, "the host's copy"}};
    gpu.watch.run(stream.actor,
                  std::string("set_tensor_async ") + tensor->name,
                  {accesses, pinned ? 2U : 1U});
    const Copy copy{at(tensor, offset), static_cast<const std::byte*>(data), size};
    if (!pinned) return upload_by_staging(stream, copy);
    const HostReads::Ticket ticket = gpu.host_reads.begin(source);
    stream.queue.post([&gpu, copy, ticket] {
        gpu.upload.copy(copy);
        gpu.host_reads.end(ticket);
    });
}

void get_tensor_async(ggml_backend_t backend,
                      const ggml_tensor* tensor,
                      void* data,
                      std::size_t offset,
                      std::size_t size) {
    Stream& stream = stream_of(backend);
    Gpu& gpu = stream.gpu;
    GGML_ASSERT(is_on(gpu, tensor) && "simgpu: get_tensor_async of a tensor elsewhere");
    const StreamUse::Call call = tell(stream, "get_tensor_async");
    const bool pinned = HostRanges::of_process().pinned(data, size);
    const Range target = range_of(data, size);
    const Access accesses[] = {
        {range_of(at(tensor, offset), size), false, Memory::Device, tensor->name},
        {target, true, Memory::Host, "the host's copy"}};
    gpu.watch.run(stream.actor,
                  std::string("get_tensor_async ") + tensor->name,
                  {accesses, pinned ? 2U : 1U});
    check_target(gpu, tensor, target);
    const Copy copy{static_cast<std::byte*>(data), at(tensor, offset), size};
    if (!pinned) {
        stream.queue.post(
            [&gpu, copy] { gpu.download.copy_slowly(copy, gpu.settings.pageable_share); });
        return synchronize(backend);
    }
    // An upload that is still to read the same bytes, on this very queue, is in its right.
    if (!gpu.host_reads.touch(target)) std::memset(data, kHostPoison, size);
    stream.queue.post([&gpu, copy] { gpu.download.copy(copy); });
}

bool cpy_tensor_async(ggml_backend_t backend_source,
                      ggml_backend_t backend_target,
                      const ggml_tensor* source,
                      ggml_tensor* target) {
    if (!is_stream(backend_source) || !is_stream(backend_target)) return false;
    Stream& from = stream_of(backend_source);
    Stream& to = stream_of(backend_target);
    Gpu& gpu = from.gpu;
    if (!is_on(gpu, source) || !is_on(gpu, target)) return false;
    const std::size_t bytes = ggml_nbytes(target);
    const Access accesses[] = {{range_of(source->data, bytes), false, Memory::Device, source->name},
                               {range_of(target->data, bytes), true, Memory::Device, target->name}};
    gpu.watch.run(from.actor, std::string("cpy_tensor_async ") + target->name, accesses);
    const double rate = gpu.settings.gbps * 1e9;
    const double least = rate > 0 ? 2 * static_cast<double>(bytes) / rate : 0;
    const auto flag = std::make_shared<Flag>();
    from.queue.post([flag, least, bytes, to_data = target->data, from_data = source->data] {
        const Clock::time_point start = Clock::now();
        std::memmove(to_data, from_data, bytes);
        std::this_thread::sleep_until(start + seconds(least));
        flag->set();
    });
    if (&from == &to) return true;
    to.queue.post([flag] { flag->wait(); });
    gpu.watch.with([&](Checker& checker) { checker.wait(to.actor, checker.record(from.actor)); });
    return true;
}

// The check of a node's indices, for when its turn has come.
Kernels::Stop stop_at(Stream& stream, const ggml_tensor* node, const IndexedRead& read) {
    Watch& watch = stream.gpu.watch;
    const Actor actor = stream.actor;
    return {read.node, [&watch, actor, node, read] { check_indices(node, read, actor, watch); }};
}

// Tells the checker of all nodes; returns the checks that must wait for their node's turn.
std::vector<Kernels::Stop> announce(Stream& stream, const GraphCopy& graph) {
    std::vector<Kernels::Stop> stops;
    Watch& watch = stream.gpu.watch;
    const std::vector<const ggml_tensor*> nodes = graph.nodes();
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        if (touches_nothing(nodes[i])) continue;
        stream.gpu.count_kernel();
        if (!watch.on()) continue;
        const auto read = indexed_read(nodes[i], static_cast<int>(i), watch);
        if (read) stops.push_back(stop_at(stream, nodes[i], *read));
        watch.run(stream.actor, operation_name(nodes[i]), accesses_of(nodes[i]));
        for (const Fault& fault : faults_of_fusion(graph.graph(), static_cast<int>(i))) {
            watch.report(fault);
        }
    }
    return stops;
}

ggml_status graph_compute(ggml_backend_t backend, ggml_cgraph* graph) {
    if (graph->n_nodes == 0) return GGML_STATUS_SUCCESS;
    Stream& stream = stream_of(backend);
    const StreamUse::Call call = tell(stream, "graph_compute");
    const std::shared_ptr<const GraphCopy> copy = stream.recorder.graph_for(*graph);
    stream.queue.post([&stream, copy, stops = announce(stream, *copy)] {
        if (!stream.kernels) stream.kernels.emplace(stream.gpu.settings);
        stream.kernels->run(copy->graph(), stops);
    });
    return GGML_STATUS_SUCCESS;
}

void event_record(ggml_backend_t backend, ggml_backend_event_t handle) {
    Stream& stream = stream_of(backend);
    Event& event = *static_cast<Event*>(handle->context);
    const StreamUse::Call call = tell(stream, "event_record");
    raise(stream.gpu.most_records, ++event.n_records);
    event.use = stream.use;
    event.flag = std::make_shared<Flag>();
    stream.gpu.watch.with([&](Checker& checker) { event.clock = checker.record(stream.actor); });
    stream.queue.post([flag = event.flag] { flag->set(); });
}

void event_wait(ggml_backend_t backend, ggml_backend_event_t handle) {
    Stream& stream = stream_of(backend);
    const Event& event = *static_cast<Event*>(handle->context);
    if (event.flag == nullptr) return;
    const StreamUse::Call call = tell(stream, "event_wait");
    stream.gpu.watch.with([&](Checker& checker) { checker.wait(stream.actor, event.clock); });
    stream.queue.post([flag = event.flag] { flag->wait(); });
}

ggml_guid_t guid() {
    static ggml_guid id = "pshard-simgpu-1";  // 16 bytes with its end
    return &id;
}

}  // namespace

Worker& queue_of(ggml_backend_t backend) { return stream_of(backend).queue; }

ggml_backend_event_t event_new(ggml_backend_dev_t device) {
    return new ggml_backend_event{device, new Event};
}

void event_free(ggml_backend_dev_t /*device*/, ggml_backend_event_t handle) {
    delete static_cast<Event*>(handle->context);
    delete handle;
}

void event_synchronize(ggml_backend_dev_t device, ggml_backend_event_t handle) {
    Gpu& gpu = *static_cast<Gpu*>(device->context);
    Event& event = *static_cast<Event*>(handle->context);
    if (event.flag == nullptr) return;
    const StreamUse::Call call(*event.use, "event_synchronize");
    event.flag->wait();
    event.n_records = 0;
    gpu.watch.with([&](Checker& checker) { checker.wait(kHost, event.clock); });
}

ggml_backend_t make_backend(Gpu& gpu) {
    gpu.open_context();
    auto* stream = new Stream(gpu);
    gpu.watch.with([&](Checker& checker) { stream->actor = checker.add_queue(); });
    {
        const std::lock_guard lock(gpu.queues_mutex);
        gpu.queues.insert(&stream->queue);
    }
    ggml_backend_i iface{};
    iface.get_name = backend_name;
    iface.free = free_backend;
    iface.set_tensor_async = set_tensor_async;
    iface.get_tensor_async = get_tensor_async;
    iface.cpy_tensor_async = cpy_tensor_async;
    iface.synchronize = synchronize;
    iface.graph_compute = graph_compute;
    iface.event_record = event_record;
    iface.event_wait = event_wait;
    return new ggml_backend{guid(), iface, &gpu.device, stream};
}

}  // namespace pshard::simgpu
