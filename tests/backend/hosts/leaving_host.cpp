// A program that ends without freeing what it had of llama.cpp, as scripts do, and that leaves the
// log to ggml.
//
//   leaving_host BACKENDS MODEL DEVICE N
//
// BACKENDS: the folder of ggml's backends. N tokens are computed, one by one.
#include <cstdio>
#include <cstdlib>

#include <llama.h>

int main(int argc, char** argv) {
    if (argc != 5) return 2;
    ggml_backend_load_all_from_path(argv[1]);
    ggml_backend_dev_t devices[] = {ggml_backend_dev_by_name(argv[3]), nullptr};
    if (devices[0] == nullptr) return 3;
    llama_model_params model_params = llama_model_default_params();
    model_params.devices = devices;
    llama_model* model = llama_model_load_from_file(argv[2], model_params);
    if (model == nullptr) return 4;
    llama_context_params context_params = llama_context_default_params();
    context_params.n_ctx = 512;
    context_params.n_threads = context_params.n_threads_batch = 1;
    llama_context* context = llama_init_from_model(model, context_params);
    if (context == nullptr) return 5;
    for (int i = std::atoi(argv[4]); i > 0; --i) {
        llama_token token = 1;
        if (llama_decode(context, llama_batch_get_one(&token, 1)) != 0) return 6;
    }
    return 0;
}
