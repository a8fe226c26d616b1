// Streams, events, captured graphs and kernels.
#include "simgpu/kernels.h"
#include "simgpu/sim_device.h"
#include "support/testing.h"

#include <ggml-impl.h>

namespace pshard::simgpu {
namespace {

using Events = OnSimGpu;
using Queues = OnSimGpu;
using Kernels = OnSimGpu;

constexpr std::int64_t kN = 1024;

EventHandle new_event(SimDevice& device) {
    return EventHandle(ggml_backend_event_new(&device.gpu.device));
}

TEST_F(Events, OneThatWasNeverRecordedHoldsNobody) {
    const EventHandle event = new_event(device);
    ggml_backend_event_wait(queue.get(), event.get());
    ggml_backend_synchronize(queue.get());
    ggml_backend_event_synchronize(event.get());
}

TEST_F(Events, AWaitHoldsTheQueueUntilTheRecordIsReached) {
    const EventHandle event = new_event(device);
    ggml_tensor* x = device.tensor("x", kN);
    const float* host = device.pinned(kN, 5);
    float* back = device.pinned(kN, 0);
    Hold hold(queue);
    ggml_backend_tensor_set_async(queue.get(), x, host, 0, ggml_nbytes(x));
    ggml_backend_event_record(event.get(), queue.get());
    ggml_backend_event_wait(other.get(), event.get());
    ggml_backend_tensor_get_async(other.get(), x, back, 0, ggml_nbytes(x));
    EXPECT_NE(back[0], 5);
    hold.let_go();
    ggml_backend_synchronize(other.get());
    EXPECT_EQ(back[0], 5);
    EXPECT_EQ(device.faults(), 0u);
}

TEST_F(Events, OneThreadAtATimeUsesAStreamAndItsEvents) {
    const EventHandle event = new_event(device);
    Hold hold(queue);
    ggml_backend_event_record(event.get(), queue.get());
    std::thread waiter([&] { ggml_backend_event_synchronize(event.get()); });
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (device.faults() == 0 && std::chrono::steady_clock::now() < until) {
        ggml_backend_event_wait(queue.get(), event.get());  // until the thread waits, nobody minds
    }
    const unsigned long n_faults = device.faults();
    EXPECT_GT(n_faults, 0u);
    ggml_backend_event_wait(other.get(), event.get());  // by another stream
    EXPECT_EQ(device.faults(), n_faults);
    hold.let_go();
    waiter.join();
}

// Would hang if the wait were for the second record.
TEST_F(Events, AWaitIsForTheRecordBeforeIt) {
    const EventHandle event = new_event(device);
    ggml_backend_event_record(event.get(), queue.get());
    ggml_backend_event_wait(other.get(), event.get());
    Hold hold(queue);
    ggml_backend_event_record(event.get(), queue.get());
    ggml_backend_synchronize(other.get());
}

TEST_F(Events, TheHostCanWaitForOne) {
    const EventHandle event = new_event(device);
    ggml_tensor* x = device.tensor("x", kN);
    const float* host = device.pinned(kN, 5);
    Hold hold(queue);
    const LetGoLater later(hold);
    ggml_backend_tensor_set_async(queue.get(), x, host, 0, ggml_nbytes(x));
    ggml_backend_event_record(event.get(), queue.get());
    ggml_backend_event_synchronize(event.get());
    EXPECT_EQ(device.first(x), 5);
    EXPECT_EQ(device.faults(), 0u);
}

TEST_F(Queues, GoOnBesideEachOther) {
    ggml_tensor* x = device.filled("x", kN, 2);
    ggml_tensor* y = ggml_add(device.context(), x, x);
    ggml_cgraph* graph = device.graph(y);
    Hold hold(queue);
    ggml_backend_graph_compute_async(other.get(), graph);
    ggml_backend_synchronize(other.get());
    EXPECT_EQ(device.first(y), 4);
}

TEST_F(Queues, AGraphMayBeRebuiltAtOnce) {
    ggml_tensor* x = device.filled("x", kN, 2);
    ggml_tensor* y = ggml_add(device.context(), x, x);
    ggml_cgraph* graph = device.graph(y);
    Hold hold(queue);
    ggml_backend_graph_compute_async(queue.get(), graph);
    const ggml_tensor before = *y;
    y->op = GGML_OP_SQR;
    y->data = x->data;
    hold.let_go();
    ggml_backend_synchronize(queue.get());
    EXPECT_EQ(device.first(&before), 4);
    EXPECT_EQ(device.first(x), 2);
}

// y = x + x is moved to another address; who sees it depends on the uid.
class Replay : public testing::Test {
protected:
    Replay() : queue_(device_.queue()) {
        y_ = ggml_add(device_.context(), device_.filled("x", kN, 2), device_.filled("z", kN, 3));
        graph_ = device_.graph(y_);
        other_ = device_.filled("other", kN, 0);
    }

    void compute(std::uint64_t uid) {
        graph_->uid = uid;
        ggml_backend_graph_compute_async(queue_.get(), graph_);
        ggml_backend_synchronize(queue_.get());
    }

    SimDevice device_;
    BackendHandle queue_;
    ggml_tensor* y_ = nullptr;
    ggml_tensor* other_ = nullptr;
    ggml_cgraph* graph_ = nullptr;
};

TEST_F(Replay, TheSameUidRunsAtTheOldAddresses) {
    compute(7);
    void* old = y_->data;
    y_->data = other_->data;
    compute(7);
    EXPECT_EQ(device_.first(other_), 0);
    y_->data = old;
}

TEST_F(Replay, AnotherUidIsRecordedAnew) {
    compute(7);
    y_->data = other_->data;
    compute(8);
    EXPECT_EQ(device_.first(other_), 5);
}

TEST_F(Replay, NoUidIsNeverReplayed) {
    compute(0);
    y_->data = other_->data;
    compute(0);
    EXPECT_EQ(device_.first(other_), 5);
}

TEST_F(Replay, AnotherFirstNodeIsAnotherGraph) {
    compute(7);
    ggml_tensor* y2 = ggml_add(device_.context(), y_->src[0], y_->src[0]);
    ggml_cgraph* second = device_.graph(y2);
    second->uid = 7;
    ggml_backend_graph_compute_async(queue_.get(), second);
    ggml_backend_synchronize(queue_.get());
    EXPECT_EQ(device_.first(y2), 4);
}

TEST_F(Replay, OfFreedMemoryIsAFault) {
    ggml_tensor* gone = device_.tensor("gone", kN);
    y_->data = gone->data;
    compute(7);
    EXPECT_EQ(device_.faults(), 0u);
    device_.gpu.watch.with([&](Checker& checker) {  // freed as far as the checker can tell
        const auto begin = reinterpret_cast<std::uintptr_t>(gone->data);
        checker.release({begin, begin + ggml_nbytes(gone)});
    });
    y_->data = other_->data;
    compute(7);
    EXPECT_EQ(device_.faults(), 1u);
}

// The same graph on both: q8_0 weights, a norm and a softmax.
std::vector<float> compute_on(ggml_backend_t backend, ggml_backend_buffer_type_t type) {
    const GgmlContext context(64);
    ggml_context* c = context.get();
    ggml_tensor* w = ggml_new_tensor_2d(c, GGML_TYPE_Q8_0, 96, 40);
    ggml_tensor* x = ggml_new_tensor_2d(c, GGML_TYPE_F32, 96, 7);
    ggml_tensor* y = ggml_soft_max(c, ggml_mul_mat(c, w, ggml_rms_norm(c, x, 1e-5F)));
    ggml_cgraph* graph = ggml_new_graph_custom(c, 16, false);
    ggml_build_forward_expand(graph, y);
    const BufferHandle buffer(ggml_backend_alloc_ctx_tensors_from_buft(c, type));
    std::vector<float> values(96 * 40);
    for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = float(i * 37 % 101) / 50 - 1;
    }
    std::vector<std::byte> rows(ggml_nbytes(w));
    ggml_quantize_chunk(GGML_TYPE_Q8_0, values.data(), rows.data(), 0, 40, 96, nullptr);
    ggml_backend_tensor_set(w, rows.data(), 0, rows.size());
    ggml_backend_tensor_set(x, values.data(), 0, ggml_nbytes(x));
    ggml_backend_graph_compute(backend, graph);
    std::vector<float> result(std::size_t(ggml_nelements(y)));
    ggml_backend_tensor_get(y, result.data(), 0, ggml_nbytes(y));
    return result;
}

TEST_F(Kernels, GiveTheCpusBits) {
    const BackendHandle cpu(ggml_backend_dev_init(cpu_device(), nullptr));
    const std::vector<float> there = compute_on(queue.get(), &device.gpu.buffer_type);
    const std::vector<float> here = compute_on(cpu.get(), ggml_backend_cpu_buffer_type());
    EXPECT_EQ(std::memcmp(here.data(), there.data(), here.size() * sizeof(float)), 0);
    EXPECT_EQ(device.faults(), 0u);
}

// 64 x 64 by 64 x 64: 524288 flops, at 0.01 GFLOPS 52 ms; the launch is 10 ms.
TEST_F(Kernels, TakeAtLeastTheStatedTime) {
    Settings settings = counting();
    settings.gflops = 0.01;
    settings.launch_us = 10000;
    SimDevice slow(settings);
    const BackendHandle stream = slow.queue();
    ggml_tensor* x = ggml_reshape_2d(slow.context(), slow.filled("x", 4096, 1), 64, 64);
    ggml_cgraph* graph = slow.graph(ggml_mul_mat(slow.context(), x, x));
    const Clock::time_point start = Clock::now();
    ggml_backend_graph_compute_async(stream.get(), graph);
    ggml_backend_synchronize(stream.get());
    EXPECT_GE(Clock::now() - start, seconds(0.0624));
}

}  // namespace
}  // namespace pshard::simgpu
