#include "fakecuda/runtime.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include <unistd.h>

namespace pshard::fakecuda {

namespace {

constexpr std::size_t kFaultsKept = 100;
constexpr std::size_t kFaultsPrinted = 20;

// How a fault names an argument; the checker keeps the name while it works.
std::string_view argument_name(std::size_t i) {
    static const std::array<const char*, 8> names = {"argument 1",
                                                     "argument 2",
                                                     "argument 3",
                                                     "argument 4",
                                                     "argument 5",
                                                     "argument 6",
                                                     "argument 7",
                                                     "a later argument"};
    return names[std::min(i, names.size() - 1)];
}

}  // namespace

Runtime& Runtime::of_process() {
    static Runtime* runtime =
        new Runtime;  // never destroyed: calls after the exit are refused, not lost
    return *runtime;
}

Caller& Runtime::caller() {
    static std::atomic<int> n_threads = 0;
    [[gnu::tls_model("initial-exec")]] thread_local Caller caller{.number = ++n_threads};
    return caller;
}

Runtime::Runtime() {
    const ParsedSettings parsed = read_settings(environ);
    if (!parsed.problem.empty()) {
        std::fprintf(stderr, "fakecuda: %s\n", parsed.problem.c_str());
        std::_Exit(2);
    }
    begin_again(parsed.settings);
    std::atexit([] { of_process().unload(); });
}

void Runtime::begin_again(const Settings& new_settings) {
    settings = new_settings;
    counts = {};
    memory.begin_again(settings.n_devices, settings.memory_bytes);
    locks.begin_again(settings.lockable_bytes);
    order = std::make_unique<Order>(counts, settings.check);
    contexts_.assign(static_cast<std::size_t>(settings.n_devices), "");
    calls_.clear();
    faults_.clear();
    unloaded_ = false;
    caller().device = 0;
    caller().last_error = kSuccess;
}

int Runtime::call(const char* name, Needs needs, const std::function<Error()>& body) {
    const std::lock_guard lock(mutex);
    Error error = kSuccess;
    if (unloaded_) {
        fault(std::string(name) + " is called after the exit");
        write_report();
        error = kUnloading;
    }
    const auto failing = settings.failing_calls.find(name);
    if (failing != settings.failing_calls.end() && ++calls_[name] == failing->second)
        error = kOutOfMemory;
    if (error == kSuccess && needs == Needs::Context) error = make_context(name);
    if (error == kSuccess) error = body();
    drain_faults();
    if (error != kSuccess) caller().last_error = error;
    return error;
}

Error Runtime::make_context(const char* name) {
    const int device = caller().device;
    std::string& maker = contexts_.at(static_cast<std::size_t>(device));
    if (!maker.empty()) return kSuccess;
    if (!memory.take(device, MemoryKind::Contexts, settings.context_bytes)) return kOutOfMemory;
    maker = "thread " + std::to_string(caller().number) + " in " + name;
    ++counts[kContexts];
    return kSuccess;
}

StreamState* Runtime::stream(Stream handle) {
    return order->stream_of(handle, caller().device, caller().number);
}

void Runtime::fault(std::string text) {
    ++counts[kFaults];
    if (counts[kFaults] <= kFaultsPrinted)
        std::fprintf(stderr, "fakecuda: fault: %s\n", text.c_str());
    if (faults_.size() < kFaultsKept) faults_.push_back(std::move(text));
}

void Runtime::drain_faults() {
    for (std::string& text : order->take_faults()) fault(std::move(text));
}

Error Runtime::take(int device, MemoryKind kind, std::size_t bytes) {
    if (!memory.take(device, kind, bytes)) return kOutOfMemory;
    ++counts[kAllocations];
    return kSuccess;
}

Error Runtime::allocate(void** data, std::size_t bytes) {
    constexpr std::size_t kGranule = 512;
    const std::size_t rounded = std::max(kGranule, (bytes + kGranule - 1) / kGranule * kGranule);
    const int device = caller().device;
    const Error taken = take(device, MemoryKind::Buffers, rounded);
    if (taken != kSuccess) return taken;
    *data = DeviceMemory::reserve(rounded);
    memory.put(*data, {rounded, device, MemoryKind::Buffers});
    const auto begin = reinterpret_cast<std::uintptr_t>(*data);
    order->allocate({begin, begin + rounded});
    return kSuccess;
}

Function* Runtime::function(const void* host_function) {
    const auto found = functions_.find(host_function);
    return found == functions_.end() ? nullptr : &found->second;
}

void Runtime::register_function(const void* host_function, const char* mangled) {
    functions_[host_function].mangled = mangled;
}

void Runtime::add_pointer(std::vector<simgpu::Access>& accesses,
                          const void* data,
                          bool writes,
                          int device) {
    if (data == nullptr || locks.side_of(data, 1) == HostSide::Locked) return;
    const auto begin = reinterpret_cast<std::uintptr_t>(data);
    const DeviceMemory::Block* block = memory.block_of(data);
    if (block != nullptr && block->device != device)
        order->add_fault("a kernel is given memory of another device");
    accesses.push_back({.range = {begin, begin + 1},
                        .writes = writes,
                        .tensor = argument_name(accesses.size()),
                        .needs_all = false});
}

Error Runtime::launch(Function& function, Stream handle, void* const* arguments) {
    if (!function.signature)
        function.signature = std::make_unique<Signature>(signature_of(function.mangled));
    StreamState* on = stream(handle);
    if (on == nullptr) return kInvalidHandle;
    ++counts[kLaunches];
    Operation operation{.name = function.signature->name};
    const std::vector<Argument>& kinds = function.signature->arguments;
    for (std::size_t i = 0; order->checks() && i < kinds.size(); ++i) {
        if (kinds[i] == Argument::Value) continue;
        const auto* values = static_cast<const void* const*>(arguments[i]);
        const int n_values = kinds[i] == Argument::Fusion ? kFusionPointers : 1;
        for (int v = 0; v < n_values; ++v) {
            add_pointer(operation.accesses, values[v], kinds[i] == Argument::Writes, on->device);
        }
    }
    if (on->device != caller().device)
        fault("a kernel is launched while its stream's device is not the thread's");
    order->issue(*on, operation);
    return kSuccess;
}

Error Runtime::launch(std::string_view name,
                      Stream handle,
                      const std::vector<const void*>& reads,
                      const std::vector<const void*>& writes) {
    StreamState* on = stream(handle);
    if (on == nullptr) return kInvalidHandle;
    ++counts[kLaunches];
    Operation operation{.name = name};
    for (const void* data : reads) add_pointer(operation.accesses, data, false, on->device);
    for (const void* data : writes) add_pointer(operation.accesses, data, true, on->device);
    order->issue(*on, operation);
    return kSuccess;
}

void Runtime::unload() {
    const std::lock_guard lock(mutex);
    unloaded_ = true;
    write_report();
}

std::string Runtime::report() const {
    std::string text;
    for (std::size_t i = 0; i < kCounts; ++i) {
        text += std::string(kCountNames[i]) + " " + std::to_string(counts[i]) + "\n";
    }
    for (int device = 0; device < settings.n_devices; ++device) {
        text += "peak " + std::to_string(device);
        for (const std::uint64_t bytes : memory.peak(device)) text += " " + std::to_string(bytes);
        text += "\n";
        const std::string& maker = contexts_[static_cast<std::size_t>(device)];
        if (!maker.empty()) text += "context " + std::to_string(device) + " " + maker + "\n";
    }
    for (const std::string& fault_text : faults_) text += "fault " + fault_text + "\n";
    return text;
}

void Runtime::write_report() const {
    if (!settings.report.empty()) std::ofstream(settings.report) << report();
}

}  // namespace pshard::fakecuda

extern "C" void fakecuda_counts(std::uint64_t* counts) {
    pshard::fakecuda::Runtime& runtime = pshard::fakecuda::Runtime::of_process();
    const std::lock_guard lock(runtime.mutex);
    std::ranges::copy(runtime.counts, counts);
}

extern "C" bool fakecuda_peak(int device, std::uint64_t* bytes_of_kinds) {
    pshard::fakecuda::Runtime& runtime = pshard::fakecuda::Runtime::of_process();
    const std::lock_guard lock(runtime.mutex);
    if (device < 0 || device >= runtime.settings.n_devices) return false;
    std::ranges::copy(runtime.memory.take_peak(device), bytes_of_kinds);
    return true;
}
