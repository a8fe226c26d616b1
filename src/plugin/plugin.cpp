// What the door (src/door) calls in libggml-pshard-core.so when ggml loads PSHARD0.
#include <dlfcn.h>
#include <fmt/format.h>
#include <ggml-backend.h>
#include <ggml-impl.h>
#include <ggml.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <type_traits>

#include "base/visible.h"
#include "ggml_kit/border.h"
#include "ggml_kit/device.h"
#include "machine/host_memory.h"
#include "plugin/inner_device.h"
#include "plugin/order_source.h"
#include "plugin/trace_file.h"
#include "runtime/backend.h"
#include "verify/verify.h"

namespace pshard {
namespace {

void log_line(std::string_view line) { fmt::print(stderr, "pshard: {}\n", visible(line)); }

// llama.cpp's common log prints in a thread of its own, which nobody waits for at the end of a
// process, so that the last lines may be lost: its programs call common_log_flush() only where they
// expect that. The names are those of v0.5.0, which is checked before this library is loaded; a
// host without that log has not these functions.
struct CommonLog {
    ggml_log_callback callback = nullptr;
    void* (*main)() = nullptr;
    void (*flush)(void*) = nullptr;
};

CommonLog common_log() {
    const auto find = [](auto& function, const char* name) {
        function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(
            dlsym(RTLD_DEFAULT, name));
    };
    CommonLog log;
    find(log.callback, "_Z27common_log_default_callback14ggml_log_levelPKcPv");
    find(log.main, "_Z15common_log_mainv");
    find(log.flush, "_Z16common_log_flushP10common_log");
    return log;
}

// Says it in the host's own log, which shows or silences it.
void log_in_host(ggml_log_level level, std::string_view line) {
    ggml_log_callback log = nullptr;
    void* user = nullptr;
    ggml_log_get(&log, &user);
    if (log != nullptr) log(level, fmt::format("pshard: {}\n", visible(line)).c_str(), user);
}

// What only tells how far something is.
void log_progress(std::string_view line) { log_in_host(GGML_LOG_LEVEL_INFO, line); }

// What a user should see: llama.cpp shows what backends say from warnings on.
void log_rates(std::string_view line) { log_in_host(GGML_LOG_LEVEL_WARN, line); }

// The bytes left to the driver and to others where nobody gave a budget.
constexpr Bytes kMargin = 512 * kMiB;

Bytes room_in(Bytes free) { return free > 2 * kMargin ? free - kMargin : free / 2; }

// Warns of a budget that the device cannot give. It is obeyed: a plan need not take all of it.
void warn_of_budget(const std::optional<Bytes>& budget, Bytes free, ggml_backend_dev_t gpu) {
    if (!budget || free == 0 || *budget <= free) return;
    log_line(
        fmt::format("warning: PSHARD_MAX_VRAM_ALLOC={:.0f} is more than the {:.0f} MiB that are "
                    "free on {}, and the driver takes some of them: give at most {:.0f}",
                    in_mib(*budget),
                    in_mib(free),
                    ggml_backend_dev_name(gpu),
                    in_mib(room_in(free))));
}

// The GPU as a profile names it; empty where the CPU stands in for one.
std::string gpu_name(const InnerDevices& devices) {
    return devices.gpu == devices.cpu ? "" : ggml_backend_dev_description(devices.gpu);
}

// Asks for page locks: CUDA's backend locks memory in place only for those who ask.
void ask_for_page_locks() { setenv("GGML_CUDA_REGISTER_HOST", "1", /*overwrite=*/0); }

bool shares_host_memory(ggml_backend_dev_t gpu) {
    return ggml_backend_dev_type(gpu) == GGML_BACKEND_DEVICE_TYPE_IGPU;
}

// Host bytes that may be page-locked where nobody has said so: most of what is available. On a
// device that shares the host's memory the budget is a part of it.
Bytes lockable(const EngineSetup& setup, Bytes host_memory) {
    if (!shares_host_memory(setup.gpu)) return host_memory / 10 * 8;
    log_line(fmt::format("{} shares the host's memory: its budget of {:.0f} MiB is taken of that",
                         ggml_backend_dev_name(setup.gpu),
                         in_mib(setup.budget)));
    return (host_memory - std::min(host_memory, setup.budget)) / 10 * 8;
}

// Verifies a pass. The arena's end is taken as the budget: the real one was held against it before.
Status check_pass(const GraphView& view, const Lowered& lowered, const TierArena& arena) {
    return as_status(verify({view.inventory, view.graph, lowered, {{arena, arena.end}}}));
}

Result<Engine*> open_engine() {
    Result<PluginSettings> settings = read_settings();
    if (!settings) return settings.error();
    if (settings.value().page_locks != Bytes{0}) ask_for_page_locks();
    Result<InnerDevices> devices = find_inner_devices(settings.value().device);
    if (!devices) return devices.error();
    EngineSetup setup;
    setup.gpu = devices.value().gpu;
    setup.cpu = devices.value().cpu;
    const Bytes free = memory_of(setup.gpu).free;
    const Bytes room = room_in(free);
    const Bytes host_memory = available_host_memory();
    warn_of_budget(settings.value().budget, free, setup.gpu);
    setup.budget = settings.value().budget.value_or(room);
    setup.budget_is_given = settings.value().budget.has_value();
    setup.page_lock_limit = settings.value().page_locks.value_or(lockable(setup, host_memory));
    setup.orders = make_order_giver(
        settings.value(), {room, gpu_name(devices.value()), host_memory}, log_line, log_progress);
    if (settings.value().plan_here && settings.value().forced.empty()) setup.room = room_in;
    setup.log = log_line;
    setup.progress = log_progress;
    setup.tell_rates = log_rates;
    setup.chaos = settings.value().chaos;
    if (settings.value().check) setup.check_pass = check_pass;
    setup.replan_every = settings.value().replan_every;
    if (const std::string& path = settings.value().trace; !path.empty()) {
        auto trace = open_trace(path, ggml_backend_dev_description(setup.gpu), log_line);
        if (!trace) return trace.error();
        setup.on_pass = std::move(trace).value();
    }
    Result<std::unique_ptr<Engine>> engine = Engine::open(std::move(setup));
    if (!engine) return engine.error();
    log_line(fmt::format("PSHARD0 computes on {} ({}), budget {:.0f} MiB",
                         ggml_backend_dev_name(devices.value().gpu),
                         ggml_backend_dev_description(devices.value().gpu),
                         in_mib(engine.value()->setup().budget)));
    return std::move(engine).value().release();  // never freed: ggml frees no backend
}

// nullptr: the engine could not be opened, and the log says why.
Engine* opened_engine() {
    const Result<Engine*> engine = open_engine();
    if (engine) return engine.value();
    log_line(engine.error().text());
    return nullptr;
}

Engine* last_engine = nullptr;

// The process ends, perhaps with contexts that were never freed, or in the middle of a pass.
// Another host's log may have ended before, and hears nothing; ggml's own and llama.cpp's common
// log have not. The inner device's library ends after this, as it was told of its end before.
void end_engine() {
    ggml_log_callback host = nullptr;
    void* user = nullptr;
    ggml_log_get(&host, &user);
    const CommonLog common = common_log();
    const bool is_common = common.callback != nullptr && host == common.callback;
    last_engine->end(is_common || host == ggml_log_callback_default);
    if (is_common && common.main != nullptr && common.flush != nullptr) common.flush(common.main());
}

Engine* engine_of_process() {
    last_engine = opened_engine();
    if (last_engine != nullptr) std::atexit(guarded<end_engine>);
    return last_engine;
}

// The one registry: ggml asks more than once.
ggml_backend_reg_t registry() {
    static Engine* const engine = engine_of_process();
    return engine == nullptr ? nullptr : pshard_registry(*engine);
}

}  // namespace
}  // namespace pshard

extern "C" __attribute__((visibility("default"))) ggml_backend_reg_t pshard_backend_init(void) {
    pshard::log_thrown(pshard::log_line);
    return pshard::guarded<pshard::registry>();
}
