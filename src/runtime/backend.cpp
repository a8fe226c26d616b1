#include "runtime/backend.h"

#include <ggml-backend-impl.h>

#include <algorithm>
#include <string_view>

#include "ggml_kit/border.h"
#include "ggml_kit/device.h"
#include "ggml_kit/interfaces.h"
#include "runtime/host_buffer.h"

namespace pshard {
namespace {

// The engine of the hooks that are bare function pointers: ggml passes them no context.
Engine* the_engine = nullptr;

HostBuffer& memory(ggml_backend_buffer_t buffer) {
    return *static_cast<HostBuffer*>(buffer->context);
}

// ---- buffer ----

void* buffer_get_base(ggml_backend_buffer_t buffer) { return memory(buffer).base(); }

ggml_status buffer_init_tensor(ggml_backend_buffer_t buffer, ggml_tensor* tensor) {
    const bool has_place = tensor->view_src == nullptr && tensor->op == GGML_OP_NONE;
    if (has_place && memory(buffer).use() != BufferUse::Compute) {
        memory(buffer).tensors.push_back(tensor);
    }
    return GGML_STATUS_SUCCESS;
}

void buffer_memset_tensor(ggml_backend_buffer_t,
                          ggml_tensor* tensor,
                          std::uint8_t value,
                          std::size_t offset,
                          std::size_t size) {
    the_engine->values()->fill(*tensor, value, offset, size);
}

void buffer_set_tensor(ggml_backend_buffer_t,
                       ggml_tensor* tensor,
                       const void* data,
                       std::size_t offset,
                       std::size_t size) {
    the_engine->values()->write(*tensor, data, offset, size);
}

void buffer_get_tensor(ggml_backend_buffer_t,
                       const ggml_tensor* tensor,
                       void* data,
                       std::size_t offset,
                       std::size_t size) {
    the_engine->values()->read(*tensor, data, offset, size);
}

// Refuses to copy between buffers: ggml then reads to the host and writes from there.
bool buffer_cpy_tensor(ggml_backend_buffer_t, const ggml_tensor*, ggml_tensor*) { return false; }

void buffer_clear(ggml_backend_buffer_t buffer, std::uint8_t value) {
    the_engine->values()->clear(memory(buffer), value);
}

const ggml_backend_buffer_i kBufferInterface = {
    .free_buffer = guarded<free_host_buffer>,
    .get_base = guarded<buffer_get_base>,
    .init_tensor = guarded<buffer_init_tensor>,
    .memset_tensor = guarded<buffer_memset_tensor>,
    .set_tensor = guarded<buffer_set_tensor>,
    .get_tensor = guarded<buffer_get_tensor>,
    .set_tensor_2d = nullptr,
    .get_tensor_2d = nullptr,
    .cpy_tensor = guarded<buffer_cpy_tensor>,
    .clear = guarded<buffer_clear>,
    .reset = nullptr,
};

// ---- buffer type ----

ggml_backend_buffer_type_t inner_type() {
    return ggml_backend_dev_buffer_type(the_engine->setup().gpu);
}

ggml_backend_buffer_t wrap(ggml_backend_buffer_type_t type, HostBuffer* host) {
    if (host == nullptr) return nullptr;
    host->handle = ggml_backend_buffer_init(type, kBufferInterface, host, host->bytes());
    return host->handle;
}

const char* type_get_name(ggml_backend_buffer_type_t) { return "PSHARD0"; }

ggml_backend_buffer_t type_alloc_buffer(ggml_backend_buffer_type_t type, std::size_t size) {
    return wrap(type, HostBuffer::reserve(size));
}

std::size_t type_get_alignment(ggml_backend_buffer_type_t) {
    constexpr std::size_t kLeast = 128;
    return std::max(kLeast, ggml_backend_buft_get_alignment(inner_type()));
}

// ---- backend: one per llama_context ----

Caller& caller(ggml_backend_t backend) { return *static_cast<Caller*>(backend->context); }

const char* backend_get_name(ggml_backend_t) { return "PSHARD0"; }

void backend_free(ggml_backend_t backend) {
    the_engine->forget(caller(backend));
    delete &caller(backend);
    delete backend;
}

void backend_set_tensor_async(
    ggml_backend_t, ggml_tensor* tensor, const void* data, std::size_t offset, std::size_t size) {
    the_engine->values()->write(*tensor, data, offset, size);
}

void backend_get_tensor_async(
    ggml_backend_t, const ggml_tensor* tensor, void* data, std::size_t offset, std::size_t size) {
    the_engine->values()->read(*tensor, data, offset, size);
}

void backend_synchronize(ggml_backend_t) { the_engine->synchronize(); }

// Computes nothing any more once something was thrown: the values that graphs read may be lost.
ggml_status backend_graph_compute(ggml_backend_t backend, ggml_cgraph* graph) {
    if (!thrown_at_border().empty()) return GGML_STATUS_FAILED;
    return the_engine->compute(*graph, caller(backend));
}

void backend_graph_optimize(ggml_backend_t backend,
                            ggml_cgraph* graph,
                            ggml_backend_graph_optimize_params*) {
    the_engine->note(*graph, caller(backend));
}

ggml_guid_t backend_guid() {
    static Guid guid("pshard-0-backend");
    return guid.get();
}

// ---- device ----

const char* device_get_name(ggml_backend_dev_t) { return "PSHARD0"; }

const char* device_get_description(ggml_backend_dev_t) {
    return ggml_backend_dev_description(the_engine->setup().gpu);
}

void device_get_memory(ggml_backend_dev_t, std::size_t* free, std::size_t* total) {
    *free = kClaimedMemory;
    *total = kClaimedMemory;
}

enum ggml_backend_dev_type device_get_type(ggml_backend_dev_t) {
    return GGML_BACKEND_DEVICE_TYPE_GPU;
}

void device_get_props(ggml_backend_dev_t device, ggml_backend_dev_props* props) {
    *props = plain_props(device);
    props->caps.async = true;
    props->caps.buffer_from_host_ptr = true;
    // Masters lie in the mapped file, whatever the inner device is.
    props->caps.mmap_support = true;
}

ggml_backend_t device_init_backend(ggml_backend_dev_t device, const char*) {
    auto* backend = new ggml_backend{};
    backend->guid = backend_guid();
    backend->iface.get_name = guarded<backend_get_name>;
    backend->iface.free = guarded<backend_free>;
    backend->iface.set_tensor_async = guarded<backend_set_tensor_async>;
    backend->iface.get_tensor_async = guarded<backend_get_tensor_async>;
    backend->iface.synchronize = guarded<backend_synchronize>;
    backend->iface.graph_compute = guarded<backend_graph_compute>;
    backend->iface.graph_optimize = guarded<backend_graph_optimize>;
    backend->device = device;
    backend->context = new Caller();
    return backend;
}

ggml_backend_buffer_type_t device_get_buffer_type(ggml_backend_dev_t device) {
    static ggml_backend_buffer_type type = {{.get_name = guarded<type_get_name>,
                                             .alloc_buffer = guarded<type_alloc_buffer>,
                                             .get_alignment = guarded<type_get_alignment>,
                                             .get_max_size = nullptr,
                                             .get_alloc_size = nullptr,  // masters have no padding
                                             .is_host = nullptr},
                                            device,
                                            nullptr};
    return &type;
}

ggml_backend_buffer_t device_buffer_from_host_ptr(ggml_backend_dev_t device,
                                                  void* base,
                                                  std::size_t size,
                                                  std::size_t) {
    return wrap(device_get_buffer_type(device), HostBuffer::adopt(base, size));
}

// llama.cpp's loader asks with a weight that lies nowhere yet: that is none of ours.
bool multiplies_own_weight(const ggml_tensor& op) {
    if (op.op != GGML_OP_MUL_MAT && op.op != GGML_OP_MUL_MAT_ID) return false;
    const HostBuffer* buffer = host_buffer_of(*op.src[0]);
    return buffer != nullptr && buffer->use() == BufferUse::Weights;
}

// Whether the op is attention over a cache that lies with us, and that nothing but flash attention
// reads: llama.cpp takes it for any quantized V. Of others, -fa auto asks whether we have it: the
// GPU's own answer is wanted, which is the one that the plan was captured with.
bool attends_own_state(const ggml_tensor& op) {
    if (op.op != GGML_OP_FLASH_ATTN_EXT || !ggml_is_quantized(op.src[2]->type)) return false;
    const HostBuffer* buffer = host_buffer_of(*op.src[1]);
    return buffer != nullptr && buffer->use() != BufferUse::Compute;
}

// What the inner GPU cannot compute, llama.cpp shall give to the CPU itself; not so a product with
// a weight of ours, or attention over a cache of ours, which it would copy to its CPU in every
// graph: the pass has our CPU compute it, from the master.
bool device_supports_op(ggml_backend_dev_t, const ggml_tensor* op) {
    const EngineSetup& setup = the_engine->setup();
    const bool taken_on = multiplies_own_weight(*op) || attends_own_state(*op);
    return computes(setup.gpu, *op) || (taken_on && computes(setup.cpu, *op));
}

bool device_supports_buft(ggml_backend_dev_t device, ggml_backend_buffer_type_t type) {
    return type == device_get_buffer_type(device);
}

const ggml_backend_device_i kDeviceInterface = {
    .get_name = guarded<device_get_name>,
    .get_description = guarded<device_get_description>,
    .get_memory = guarded<device_get_memory>,
    .get_type = guarded<device_get_type>,
    .get_props = guarded<device_get_props>,
    .init_backend = guarded<device_init_backend>,
    .get_buffer_type = guarded<device_get_buffer_type>,
    .get_host_buffer_type = nullptr,
    .buffer_from_host_ptr = guarded<device_buffer_from_host_ptr>,
    .supports_op = guarded<device_supports_op>,
    .supports_buft = guarded<device_supports_buft>,
    .offload_op = nullptr,
    .event_new = nullptr,
    .event_free = nullptr,
    .event_synchronize = nullptr,
};

// ---- registry ----

const char* registry_get_name(ggml_backend_reg_t) { return "PSHARD"; }

std::size_t registry_get_device_count(ggml_backend_reg_t) { return 1; }

ggml_backend_dev_t registry_get_device(ggml_backend_reg_t registry, std::size_t) {
    static ggml_backend_device device = {kDeviceInterface, registry, nullptr};
    return &device;
}

void set_n_threads(ggml_backend_t backend, int n_threads) { caller(backend).n_threads = n_threads; }

void set_abort_callback(ggml_backend_t backend, ggml_abort_callback abort, void* data) {
    caller(backend).abort = abort;
    caller(backend).abort_data = data;
}

void* registry_get_proc_address(ggml_backend_reg_t, const char* name) {
    if (std::string_view(name) == "ggml_backend_set_n_threads") {
        return reinterpret_cast<void*>(guarded<set_n_threads>);
    }
    if (std::string_view(name) == "ggml_backend_set_abort_callback") {
        return reinterpret_cast<void*>(guarded<set_abort_callback>);
    }
    return nullptr;
}

}  // namespace

void free_host_buffer(ggml_backend_buffer_t buffer) {
    the_engine->forget(memory(buffer));
    delete &memory(buffer);
}

ggml_backend_reg_t pshard_registry(Engine& engine) {
    the_engine = &engine;
    log_thrown(engine.setup().log);
    static ggml_backend_reg registry = {GGML_BACKEND_API_VERSION,
                                        {.get_name = guarded<registry_get_name>,
                                         .get_device_count = guarded<registry_get_device_count>,
                                         .get_device = guarded<registry_get_device>,
                                         .get_proc_address = guarded<registry_get_proc_address>},
                                        nullptr};
    return &registry;
}

}  // namespace pshard
