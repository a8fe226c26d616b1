// libcudart.so.13: streams, events, captures and graphs.
#include "fakecuda/runtime.h"

namespace pshard::fakecuda {

namespace {

int with_context(const char* name, const std::function<Error(Runtime&)>& body) {
    Runtime& runtime = Runtime::of_process();
    return runtime.call(name, Runtime::Needs::Context, [&] { return body(runtime); });
}

int on_stream(const char* name,
              Stream handle,
              const std::function<Error(Runtime&, StreamState&)>& body) {
    return with_context(name, [&](Runtime& runtime) {
        StreamState* stream = runtime.stream(handle);
        return stream == nullptr ? kInvalidHandle : body(runtime, *stream);
    });
}

// Bytes of the card for the nodes of a graph, which an update may have changed.
Error size_graph(Runtime& runtime, GraphState& graph, std::size_t n_nodes) {
    const std::size_t bytes = n_nodes * runtime.settings.graph_node_bytes;
    runtime.give_back(graph.device, MemoryKind::Graphs, graph.bytes);
    graph.bytes = 0;
    const Error error = runtime.take(graph.device, MemoryKind::Graphs, bytes);
    if (error == kSuccess) graph.bytes = bytes;
    return error;
}

}  // namespace

}  // namespace pshard::fakecuda

using namespace pshard::fakecuda;  // NOLINT(google-build-using-namespace): definitions of a C
                                   // interface

int cudaStreamCreateWithFlags(Stream* stream, unsigned flags) {
    return with_context("cudaStreamCreateWithFlags", [&](Runtime& runtime) {
        *stream = runtime.order->make_stream(Runtime::caller().device, (flags & kNonBlocking) == 0);
        return kSuccess;
    });
}

int cudaStreamDestroy(Stream stream) {
    return with_context("cudaStreamDestroy",
                        [&](Runtime& runtime) { return runtime.order->drop_stream(stream); });
}

int cudaStreamSynchronize(Stream handle) {
    return on_stream("cudaStreamSynchronize", handle, [](Runtime& runtime, StreamState& stream) {
        return runtime.order->host_wait(stream);
    });
}

int cudaStreamWaitEvent(Stream handle, Event event_handle, unsigned) {
    return on_stream("cudaStreamWaitEvent", handle, [&](Runtime& runtime, StreamState& stream) {
        EventState* event = runtime.order->event_of(event_handle);
        return event == nullptr ? kInvalidHandle : runtime.order->queue_wait(stream, *event);
    });
}

int cudaStreamBeginCapture(Stream handle, int mode) {
    return on_stream("cudaStreamBeginCapture", handle, [&](Runtime& runtime, StreamState& stream) {
        return runtime.order->begin_capture(stream, mode);
    });
}

int cudaStreamEndCapture(Stream handle, Graph* graph) {
    return on_stream("cudaStreamEndCapture", handle, [&](Runtime& runtime, StreamState& stream) {
        return runtime.order->end_capture(stream, graph);
    });
}

int cudaStreamIsCapturing(Stream handle, int* status) {
    return on_stream("cudaStreamIsCapturing", handle, [&](Runtime&, StreamState& stream) {
        *status = stream.capture == nullptr ? 0 : 1;
        return kSuccess;
    });
}

int cudaEventCreateWithFlags(Event* event, unsigned) {
    return with_context("cudaEventCreateWithFlags", [&](Runtime& runtime) {
        *event = runtime.order->make_event(Runtime::caller().device);
        return kSuccess;
    });
}

int cudaEventDestroy(Event event) {
    return with_context("cudaEventDestroy",
                        [&](Runtime& runtime) { return runtime.order->drop_event(event); });
}

int cudaEventRecord(Event event_handle, Stream handle) {
    return on_stream("cudaEventRecord", handle, [&](Runtime& runtime, StreamState& stream) {
        EventState* event = runtime.order->event_of(event_handle);
        return event == nullptr ? kInvalidHandle : runtime.order->record(*event, stream);
    });
}

int cudaEventSynchronize(Event event_handle) {
    return with_context("cudaEventSynchronize", [&](Runtime& runtime) {
        runtime.order->unsafe_call("cudaEventSynchronize");
        EventState* event = runtime.order->event_of(event_handle);
        return event == nullptr ? kInvalidHandle : runtime.order->host_wait(*event);
    });
}

int cudaGraphInstantiate(GraphExec* exec, Graph handle, unsigned long long) {
    return with_context("cudaGraphInstantiate", [&](Runtime& runtime) {
        const GraphState* graph = runtime.order->graph_of(handle);
        if (graph == nullptr) return kInvalidHandle;
        GraphState instance{graph->operations, graph->device, 0, true};
        const Error error = size_graph(runtime, instance, instance.operations.size());
        if (error == kSuccess) *exec = runtime.order->make_graph(std::move(instance));
        return error;
    });
}

int cudaGraphExecUpdate(GraphExec exec, Graph handle, UpdateResult* result) {
    return with_context("cudaGraphExecUpdate", [&](Runtime& runtime) {
        const GraphState* graph = runtime.order->graph_of(handle);
        GraphState* instance = runtime.order->graph_of(exec);
        if (graph == nullptr || instance == nullptr || !instance->instantiated)
            return kInvalidHandle;
        *result = {};
        if (graph->operations.size() != instance->operations.size()) return kUpdateFailed;
        instance->operations = graph->operations;
        return kSuccess;
    });
}

int cudaGraphLaunch(GraphExec exec, Stream handle) {
    return on_stream("cudaGraphLaunch", handle, [&](Runtime& runtime, StreamState& stream) {
        const GraphState* graph = runtime.order->graph_of(exec);
        if (graph == nullptr || !graph->instantiated) return kInvalidHandle;
        runtime.order->launch(stream, *graph);
        return kSuccess;
    });
}

int cudaGraphDestroy(Graph graph) {
    return with_context("cudaGraphDestroy",
                        [&](Runtime& runtime) { return runtime.order->drop_graph(graph); });
}

int cudaGraphExecDestroy(GraphExec exec) {
    return with_context("cudaGraphExecDestroy", [&](Runtime& runtime) {
        const GraphState* graph = runtime.order->graph_of(exec);
        if (graph == nullptr) return kInvalidHandle;
        runtime.give_back(graph->device, MemoryKind::Graphs, graph->bytes);
        return runtime.order->drop_graph(exec);
    });
}
