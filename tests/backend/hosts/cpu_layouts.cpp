// Which weights does the CPU backend of a host keep in layouts of its own?
//
//   cpu_layouts FOLDER
//
// FOLDER holds the host's libggml and its CPU backends; libggml loads the one that it takes for the
// best on this CPU, as the host does. Prints a line "TYPE LAYOUT" for each type of weights that a
// buffer type of the backend takes (ggml_backend_dev_get_extra_bufts), for example
// "q4_0 CPU_REPACK" or "q8_0 AMX". The kernels of such a layout round otherwise than those of the
// plain one. The status is 1 if no CPU backend there runs on this CPU.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <ggml-backend.h>
#include <ggml.h>

namespace {

// A multiple of every block and tile, so that no layout refuses a weight for its shape.
constexpr int kRows = 256;

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "cpu_layouts: %s\n", what);
    std::exit(1);
}

void* libggml(const char* folder) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (!entry.path().filename().string().starts_with("libggml.")) continue;
        void* library = dlopen(entry.path().c_str(), RTLD_NOW | RTLD_LOCAL);
        if (library == nullptr) fail(dlerror());
        return library;
    }
    fail("the folder has no libggml");
}

// A function of the host's own ggml: this program is linked with none.
#define HOST(name) reinterpret_cast<decltype(&name)>(host_symbol(host, #name))

void* host_symbol(void* host, const char* name) {
    void* symbol = dlsym(host, name);
    if (symbol == nullptr) fail(dlerror());
    return symbol;
}

// The product of a matrix, or of one for each expert, with a batch of floats.
ggml_tensor* product(void* host, ggml_context* context, ggml_type type, bool experts) {
    if (!experts) {
        return HOST(ggml_mul_mat)(context,
                                  HOST(ggml_new_tensor_2d)(context, type, kRows, kRows),
                                  HOST(ggml_new_tensor_2d)(context, GGML_TYPE_F32, kRows, 2));
    }
    return HOST(ggml_mul_mat_id)(context,
                                 HOST(ggml_new_tensor_3d)(context, type, kRows, kRows, 4),
                                 HOST(ggml_new_tensor_3d)(context, GGML_TYPE_F32, kRows, 1, 2),
                                 HOST(ggml_new_tensor_2d)(context, GGML_TYPE_I32, 1, 2));
}

// As llama.cpp asks (llama-model-loader.cpp, weight_buft_supported).
bool takes(void* host, ggml_backend_dev_t cpu, ggml_backend_buffer_type_t layout, ggml_tensor* op) {
    ggml_backend_buffer_t empty = HOST(ggml_backend_buft_alloc_buffer)(layout, 0);
    op->src[0]->buffer = empty;
    const bool taken = HOST(ggml_backend_dev_supports_op)(cpu, op);
    op->src[0]->buffer = nullptr;
    HOST(ggml_backend_buffer_free)(empty);
    return taken;
}

void tell(void* host, ggml_backend_dev_t cpu, ggml_backend_buffer_type_t layout) {
    ggml_context* context = HOST(ggml_init)({1 << 20, nullptr, true});
    for (int i = 0; i < GGML_TYPE_COUNT; ++i) {
        const auto type = static_cast<ggml_type>(i);
        if (HOST(ggml_type_size)(type) == 0) continue;  // a number that is no longer used
        const bool taken = takes(host, cpu, layout, product(host, context, type, false)) ||
                           takes(host, cpu, layout, product(host, context, type, true));
        if (!taken) continue;
        std::printf("%s %s\n", HOST(ggml_type_name)(type), HOST(ggml_backend_buft_name)(layout));
    }
    HOST(ggml_free)(context);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) fail("usage: cpu_layouts FOLDER");
    void* host = libggml(argv[1]);
    HOST(ggml_backend_load_all_from_path)(argv[1]);
    ggml_backend_dev_t cpu = HOST(ggml_backend_dev_by_type)(GGML_BACKEND_DEVICE_TYPE_CPU);
    if (cpu == nullptr) fail("no CPU backend there runs on this CPU");
    const auto layouts = reinterpret_cast<ggml_backend_dev_get_extra_bufts_t>(
        HOST(ggml_backend_reg_get_proc_address)(HOST(ggml_backend_dev_backend_reg)(cpu),
                                                "ggml_backend_dev_get_extra_bufts"));
    if (layouts == nullptr) return 0;
    for (ggml_backend_buffer_type_t* layout = layouts(cpu); *layout != nullptr; ++layout) {
        tell(host, cpu, *layout);
    }
    return 0;
}
