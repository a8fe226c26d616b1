// A ggml device made of tables of functions, as ggml-backend-impl.h asks for them.
//
// In:   what llama.cpp asks of a backend's device.
// Out:  the answers of a GPU of any size, and a list of the tensors that were placed on it.
//
//     device ---- buffer type ------- buffer: addresses without memory (PageUse::None)
//        |  `---- host buffer type -- buffer: zero pages, which take memory when they are written
//        `------- backend: refuses to compute
//
// llama.cpp shows its weights and states twice: when it sizes them for a buffer (get_alloc_size),
// and when it puts them into one (init_tensor). The device remembers a tensor at whichever comes
// first.
//
// Traps: llama.cpp also sizes the values of graphs this way; views, results of ops and tensors of
// compute buffers are not remembered. Nobody may touch an address of the device's buffers, so
// writes are dropped, reads give zeros, and copies claim to be done.
#include "capture/virtual_device.h"

#include <ggml-backend-impl.h>
#include <sys/mman.h>

#include <cstring>
#include <optional>
#include <unordered_set>
#include <utility>

#include "base/address_space.h"
#include "ggml_kit/border.h"
#include "ggml_kit/interfaces.h"

namespace pshard {

struct VirtualDevice::Impl {
    explicit Impl(VirtualDeviceSpec given);

    void remember(const ggml_tensor* tensor) {
        if (tensor->view_src != nullptr || tensor->op != GGML_OP_NONE) return;
        if (seen.insert(tensor).second) tensors.push_back(tensor);
    }

    VirtualDeviceSpec spec;
    DeviceModel model;
    std::string host_name;
    ggml_backend_device device;
    ggml_backend_buffer_type buffer_type;
    ggml_backend_buffer_type host_buffer_type;
    std::vector<const ggml_tensor*> tensors;
    std::unordered_set<const ggml_tensor*> seen;
};

namespace {

using Impl = VirtualDevice::Impl;

// ---- buffer ----

struct Reservation {
    Impl* owner;
    AddressSpace space;
};

Reservation* reservation(ggml_backend_buffer_t buffer) {
    return static_cast<Reservation*>(buffer->context);
}

void buffer_free_buffer(ggml_backend_buffer_t buffer) { delete reservation(buffer); }

void* buffer_get_base(ggml_backend_buffer_t buffer) { return reservation(buffer)->space.data(); }

ggml_status buffer_init_tensor(ggml_backend_buffer_t buffer, ggml_tensor* tensor) {
    if (buffer->usage != GGML_BACKEND_BUFFER_USAGE_COMPUTE) {
        reservation(buffer)->owner->remember(tensor);
    }
    return GGML_STATUS_SUCCESS;
}

// The addresses have no memory: these functions drop what is written, and give zeros.
void buffer_memset_tensor(
    ggml_backend_buffer_t, ggml_tensor*, std::uint8_t, std::size_t, std::size_t) {}

void buffer_set_tensor(ggml_backend_buffer_t, ggml_tensor*, const void*, std::size_t, std::size_t) {
}

void buffer_get_tensor(
    ggml_backend_buffer_t, const ggml_tensor*, void* data, std::size_t, std::size_t size) {
    std::memset(data, 0, size);
}

bool buffer_cpy_tensor(ggml_backend_buffer_t, const ggml_tensor*, ggml_tensor*) { return true; }

void buffer_clear(ggml_backend_buffer_t, std::uint8_t) {}

const ggml_backend_buffer_i kBufferInterface = {
    .free_buffer = guarded<buffer_free_buffer>,
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

// ---- buffer types: the device's memory, and host memory that it can read ----

Impl* owner_of(ggml_backend_buffer_type_t type) { return static_cast<Impl*>(type->context); }

const char* type_get_name(ggml_backend_buffer_type_t type) {
    return owner_of(type)->spec.name.c_str();
}

ggml_backend_buffer_t type_alloc_buffer(ggml_backend_buffer_type_t type, std::size_t size) {
    std::optional<AddressSpace> space = AddressSpace::reserve(size, PageUse::None);
    if (!space) return nullptr;
    auto* context = new Reservation{owner_of(type), std::move(*space)};
    return ggml_backend_buffer_init(type, kBufferInterface, context, size);
}

std::size_t type_get_alignment(ggml_backend_buffer_type_t type) {
    return owner_of(type)->model.alignment;
}

std::size_t type_get_max_size(ggml_backend_buffer_type_t type) {
    return owner_of(type)->model.max_buffer_bytes;
}

// llama.cpp asks with weights and states when it lays out their buffer, and with nodes of graphs.
// Only tensors with a buffer of this type are remembered.
std::size_t type_get_alloc_size(ggml_backend_buffer_type_t type, const ggml_tensor* tensor) {
    Impl* owner = owner_of(type);
    const bool placed_here = tensor->buffer != nullptr && tensor->buffer->buft == type;
    if (placed_here) owner->remember(tensor);
    return owner->spec.policy->tensor_bytes(*tensor);
}

const char* host_type_get_name(ggml_backend_buffer_type_t type) {
    return owner_of(type)->host_name.c_str();
}

void host_buffer_free_buffer(ggml_backend_buffer_t buffer) {
    munmap(ggml_backend_buffer_get_base(buffer), buffer->size);
}

// Host memory takes pages only when they are written: the inputs of graphs can be gigabytes of
// masks that nobody fills.
ggml_backend_buffer_t host_type_alloc_buffer(ggml_backend_buffer_type_t type, std::size_t size) {
    std::optional<AddressSpace> space = AddressSpace::reserve(size, PageUse::OnDemand);
    if (!space) return nullptr;
    ggml_backend_buffer_t buffer = ggml_backend_cpu_buffer_from_ptr(space->release(), size);
    buffer->buft = type;
    buffer->iface.free_buffer = guarded<host_buffer_free_buffer>;
    buffer->iface.clear = guarded<buffer_clear>;
    return buffer;
}

std::size_t host_type_get_alignment(ggml_backend_buffer_type_t) {
    return ggml_backend_buft_get_alignment(ggml_backend_cpu_buffer_type());
}

bool host_type_is_host(ggml_backend_buffer_type_t) { return true; }

const ggml_backend_buffer_type_i kTypeInterface = {
    .get_name = guarded<type_get_name>,
    .alloc_buffer = guarded<type_alloc_buffer>,
    .get_alignment = guarded<type_get_alignment>,
    .get_max_size = guarded<type_get_max_size>,
    .get_alloc_size = guarded<type_get_alloc_size>,
    .is_host = nullptr,
};

const ggml_backend_buffer_type_i kHostTypeInterface = {
    .get_name = guarded<host_type_get_name>,
    .alloc_buffer = guarded<host_type_alloc_buffer>,
    .get_alignment = guarded<host_type_get_alignment>,
    .get_max_size = nullptr,
    .get_alloc_size = nullptr,
    .is_host = guarded<host_type_is_host>,
};

// ---- backend ----

const char* backend_get_name(ggml_backend_t backend) {
    return static_cast<Impl*>(backend->context)->spec.name.c_str();
}

void backend_free(ggml_backend_t backend) { delete backend; }

ggml_status backend_graph_compute(ggml_backend_t, ggml_cgraph*) { return GGML_STATUS_FAILED; }

ggml_guid_t backend_guid() {
    static Guid guid("pshard-virtual-1");
    return guid.get();
}

// ---- device ----

Impl* impl_of(ggml_backend_dev_t device) { return static_cast<Impl*>(device->context); }

const char* device_get_name(ggml_backend_dev_t device) {
    return impl_of(device)->spec.name.c_str();
}

const char* device_get_description(ggml_backend_dev_t) {
    return "pshard virtual device (reserves, never computes)";
}

void device_get_memory(ggml_backend_dev_t device, std::size_t* free, std::size_t* total) {
    *free = *total = impl_of(device)->spec.memory;
}

enum ggml_backend_dev_type device_get_type(ggml_backend_dev_t) {
    return GGML_BACKEND_DEVICE_TYPE_GPU;
}

void device_get_props(ggml_backend_dev_t device, ggml_backend_dev_props* props) {
    *props = plain_props(device);
}

ggml_backend_t device_init_backend(ggml_backend_dev_t device, const char*) {
    auto* backend = new ggml_backend{};
    backend->guid = backend_guid();
    backend->iface.get_name = guarded<backend_get_name>;
    backend->iface.free = guarded<backend_free>;
    backend->iface.graph_compute = guarded<backend_graph_compute>;
    backend->device = device;
    backend->context = device->context;
    return backend;
}

ggml_backend_buffer_type_t device_get_buffer_type(ggml_backend_dev_t device) {
    return &impl_of(device)->buffer_type;
}

ggml_backend_buffer_type_t device_get_host_buffer_type(ggml_backend_dev_t device) {
    return &impl_of(device)->host_buffer_type;
}

bool device_supports_op(ggml_backend_dev_t device, const ggml_tensor* op) {
    return impl_of(device)->spec.policy->supports(*op);
}

bool device_supports_buft(ggml_backend_dev_t device, ggml_backend_buffer_type_t type) {
    return type == &impl_of(device)->buffer_type;
}

bool device_offload_op(ggml_backend_dev_t device, const ggml_tensor* op) {
    return impl_of(device)->spec.offload && impl_of(device)->spec.policy->offloads(*op);
}

const ggml_backend_device_i kDeviceInterface = {
    .get_name = guarded<device_get_name>,
    .get_description = guarded<device_get_description>,
    .get_memory = guarded<device_get_memory>,
    .get_type = guarded<device_get_type>,
    .get_props = guarded<device_get_props>,
    .init_backend = guarded<device_init_backend>,
    .get_buffer_type = guarded<device_get_buffer_type>,
    .get_host_buffer_type = guarded<device_get_host_buffer_type>,
    .buffer_from_host_ptr = nullptr,
    .supports_op = guarded<device_supports_op>,
    .supports_buft = guarded<device_supports_buft>,
    .offload_op = guarded<device_offload_op>,
    .event_new = nullptr,
    .event_free = nullptr,
    .event_synchronize = nullptr,
};

}  // namespace

VirtualDevice::Impl::Impl(VirtualDeviceSpec given)
    : spec(std::move(given)),
      model(spec.policy->model()),
      host_name(spec.name + "_Host"),
      device{kDeviceInterface, nullptr, this},
      buffer_type{kTypeInterface, &device, this},
      host_buffer_type{kHostTypeInterface, &device, this} {}

VirtualDevice::VirtualDevice(VirtualDeviceSpec spec)
    : impl_(std::make_unique<Impl>(std::move(spec))) {}

VirtualDevice::~VirtualDevice() = default;

ggml_backend_dev_t VirtualDevice::device() { return &impl_->device; }

ggml_backend_buffer_type_t VirtualDevice::buffer_type() { return &impl_->buffer_type; }

const std::vector<const ggml_tensor*>& VirtualDevice::tensors() const { return impl_->tensors; }

}  // namespace pshard
