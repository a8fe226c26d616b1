// Tokens per second with everything resident through PSHARD0, as a share of the inner backend
// alone.
//
//   bench_resident PLUGIN BACKEND MODEL.gguf [PAIRS [CPU_TENSORS]]
//
// PLUGIN is libggml-pshard.so. BACKEND is libggml-simgpu.so, or ggml's CUDA backend over
// tests/fakecuda, which computes nothing: then the difference is the host's own time. With
// CPU_TENSORS, a regular expression, the inner backend alone leaves those weights to the CPU, as
// -ot does; PSHARD_STRATEGY tells PSHARD0 to do the same.
//
// Both devices hold the model in one process and compute the same step right behind each other, in
// turns the one and the other first, so that what the machine does meanwhile meets both: single
// runs of llama-bench differ by more than what is looked for. Of the shares of PAIRS pairs (1000 of
// one token, a twentieth of them of 512) the median is printed, its 95 % interval (of order
// statistics) and the quartiles.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <ggml-backend.h>
#include <llama.h>

namespace pshard {
namespace {

constexpr int kPrompt = 512;
constexpr int kContext = 2048;
constexpr int kDepth = 256;  // tokens in the cache below a step of one token, and as many more

[[noreturn]] void fail(const std::string& why) {
    fmt::print(stderr, "bench_resident: {}\n", why);
    std::exit(1);
}

// The model on one device.
class Runner {
public:
    Runner(const std::string& model, ggml_backend_dev_t device, const char* cpu_tensors) {
        const char* device_name = ggml_backend_dev_name(device);
        ggml_backend_dev_t devices[] = {device, nullptr};
        const llama_model_tensor_buft_override overrides[] = {
            {cpu_tensors, ggml_backend_cpu_buffer_type()}, {nullptr, nullptr}};
        llama_model_params model_params = llama_model_default_params();
        model_params.devices = devices;
        model_params.n_gpu_layers = -1;
        if (cpu_tensors != nullptr) model_params.tensor_buft_overrides = overrides;
        model_.reset(llama_model_load_from_file(model.c_str(), model_params));
        if (!model_) fail(fmt::format("{} was not loaded on {}", model, device_name));
        llama_context_params params = llama_context_default_params();
        params.n_ctx = kContext;
        params.n_batch = kPrompt;
        params.n_ubatch = kPrompt;
        params.n_threads = 1;
        params.n_threads_batch = 1;
        params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
        context_.reset(llama_init_from_model(model_.get(), params));
        if (!context_) fail(fmt::format("{} gave no context", device_name));
    }

    void clear() { llama_memory_clear(llama_get_memory(context_.get()), true); }

    // Seconds of a batch of `n_tokens`.
    double step(int n_tokens) {
        std::vector<llama_token> tokens(static_cast<std::size_t>(n_tokens), 7);
        const auto begin = std::chrono::steady_clock::now();
        if (llama_decode(context_.get(), llama_batch_get_one(tokens.data(), n_tokens)) != 0) {
            fail("a batch was not computed");
        }
        llama_synchronize(context_.get());
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    }

private:
    struct ModelDeleter {
        void operator()(llama_model* model) const { llama_model_free(model); }
    };

    struct ContextDeleter {
        void operator()(llama_context* context) const { llama_free(context); }
    };

    std::unique_ptr<llama_model, ModelDeleter> model_;
    std::unique_ptr<llama_context, ContextDeleter> context_;
};

struct Pair {
    double alone = 0;  // seconds
    double through = 0;
};

class Bench {
public:
    Bench(const std::string& model, ggml_backend_reg_t alone, const char* cpu_tensors)
        : alone_(model, ggml_backend_reg_dev_get(alone, 0), cpu_tensors),
          through_(model, ggml_backend_dev_by_name("PSHARD0"), nullptr) {}

    std::vector<Pair> prompts(int n_pairs) {
        return pairs(n_pairs, [](Runner& runner) {
            runner.clear();
            return runner.step(kPrompt);
        });
    }

    std::vector<Pair> tokens(int n_pairs) {
        std::vector<Pair> all;
        while (static_cast<int>(all.size()) < n_pairs) {
            begin_cache(alone_);
            begin_cache(through_);
            const int left = n_pairs - static_cast<int>(all.size());
            const auto some =
                pairs(std::min(left, kDepth), [](Runner& runner) { return runner.step(1); });
            all.insert(all.end(), some.begin(), some.end());
        }
        return all;
    }

private:
    static void begin_cache(Runner& runner) {
        runner.clear();
        runner.step(kDepth);
        for (int i = 0; i < 4; ++i) runner.step(1);  // its graph is cached from here on
    }

    template <typename Step>
    std::vector<Pair> pairs(int n_pairs, Step step) {
        std::vector<Pair> all(static_cast<std::size_t>(n_pairs));
        bool alone_first = true;
        for (Pair& pair : all) {
            if (alone_first) pair.alone = step(alone_);
            pair.through = step(through_);
            if (!alone_first) pair.alone = step(alone_);
            alone_first = !alone_first;
        }
        return all;
    }

    Runner alone_;
    Runner through_;
};

void print_row(const char* name, const std::vector<Pair>& pairs) {
    std::vector<double> shares;
    std::vector<double> more;  // milliseconds
    for (const Pair& pair : pairs) {
        shares.push_back(pair.alone / pair.through);
        more.push_back(1e3 * (pair.through - pair.alone));
    }
    std::sort(shares.begin(), shares.end());
    std::sort(more.begin(), more.end());
    const std::size_t n = shares.size();
    const auto wide = static_cast<std::size_t>(std::ceil(0.98 * std::sqrt(double(n))));
    const std::size_t reach = std::min(wide, n / 2);
    fmt::print("| {} | {} | {:.4f} | {:.4f} to {:.4f} | {:.4f} to {:.4f} | {:+.4f} |\n",
               name,
               n,
               shares[n / 2],
               shares[n / 2 - reach],
               shares[std::min(n - 1, n / 2 + reach)],
               shares[n / 4],
               shares[n * 3 / 4],
               more[n / 2]);
    std::fflush(stdout);
}

int run_program(const std::vector<std::string>& arguments) {
    if (arguments.size() < 3 || arguments.size() > 5) {
        fmt::print(stderr,
                   "usage: bench_resident PLUGIN BACKEND MODEL.gguf [PAIRS [CPU_TENSORS]]\n");
        return 1;
    }
    setenv("SIMGPU_CHECK", "0", 1);
    setenv("FAKECUDA_CHECK", "0", 1);
    setenv("PSHARD_DEVICE", arguments[1].c_str(), 1);
    llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
    ggml_backend_load_all_from_path(PSHARD_LLAMA_BIN_DIR);
    ggml_backend_reg_t alone = ggml_backend_load(arguments[1].c_str());
    if (alone == nullptr) fail(arguments[1] + " was not loaded");
    if (ggml_backend_load(arguments[0].c_str()) == nullptr) fail(arguments[0] + " was not loaded");
    const int n_pairs = arguments.size() > 3 ? std::atoi(arguments[3].c_str()) : 1000;
    if (n_pairs < 20) fail("PAIRS must be 20 or more");
    Bench bench(arguments[2], alone, arguments.size() > 4 ? arguments[4].c_str() : nullptr);
    fmt::print(
        "| step | pairs | median share | its 95 % interval | quartiles | ms more |\n"
        "|---|--:|--:|--:|--:|--:|\n");
    print_row("1 token", bench.tokens(n_pairs));
    print_row("512 tokens", bench.prompts(n_pairs / 20));
    return 0;
}

}  // namespace
}  // namespace pshard

int main(int argc, char** argv) { return pshard::run_program({argv + 1, argv + argc}); }
