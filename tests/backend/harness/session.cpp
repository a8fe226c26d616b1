#include "backend/harness/session.h"
#include "build_paths.h"

#include <cstdio>
#include <cstdlib>
#include <random>

#include <fmt/format.h>

namespace pshard::backend_test {
namespace {

constexpr int kLargestBatch = 1024;

void print_warnings(ggml_log_level level, const char* text, void*) {
    if (level >= GGML_LOG_LEVEL_WARN && level != GGML_LOG_LEVEL_CONT) std::fputs(text, stderr);
}

// nullptr for "none".
ggml_backend_dev_t device_of(const RunOptions& options) {
    if (options.device == "none") return nullptr;
    ggml_backend_dev_t device = ggml_backend_dev_by_name(options.device.c_str());
    require(device != nullptr, fmt::format("no device '{}'", options.device));
    return device;
}

ggml_type type_of(const std::string& name) {
    for (int i = 0; i < GGML_TYPE_COUNT; ++i) {
        const auto type = static_cast<ggml_type>(i);
        if (ggml_blck_size(type) > 0 && name == ggml_type_name(type)) return type;
    }
    fail(fmt::format("no type '{}'", name));
}

llama_flash_attn_type flash_attn_of(const std::string& name) {
    if (name == "on") return LLAMA_FLASH_ATTN_TYPE_ENABLED;
    if (name == "off") return LLAMA_FLASH_ATTN_TYPE_DISABLED;
    require(name == "auto", fmt::format("no -fa '{}'", name));
    return LLAMA_FLASH_ATTN_TYPE_AUTO;
}

}  // namespace

void fail(const std::string& what, int exit_code) {
    std::fflush(stdout);
    fmt::print(stderr, "logits_run: {}\n", what);
    std::_Exit(exit_code);
}

void require(bool good, const std::string& what) {
    if (!good) fail(what);
}

void load_backends() {
    llama_log_set(print_warnings, nullptr);
    ggml_backend_load_all_from_path(PSHARD_LLAMA_BIN_DIR);
    llama_backend_init();
}

ModelPtr load_model(const RunOptions& options) {
    ggml_backend_dev_t devices[] = {device_of(options), nullptr};
    const llama_model_tensor_buft_override overrides[] = {
        {options.cpu_tensors.c_str(), ggml_backend_cpu_buffer_type()}, {nullptr, nullptr}};
    llama_model_params params = llama_model_default_params();
    params.devices = devices;
    params.n_gpu_layers = devices[0] == nullptr ? 0 : options.n_gpu_layers;
    params.load_mode = llama_load_mode_from_str(options.load_mode.c_str());
    params.use_extra_bufts = !options.no_repack;
    params.load_mtp = options.load_mtp;
    // Else a device that has host memory of its own type keeps the CPU's weights from being
    // repacked, and PSHARD0, which has none, is held against other kernels.
    params.no_host = !options.host_buffers;
    if (!options.cpu_tensors.empty()) params.tensor_buft_overrides = overrides;
    ModelPtr model(llama_model_load_from_file(options.model.c_str(), params));
    require(model != nullptr, "the model was not loaded");
    return model;
}

llama_context_params context_params(const RunOptions& options) {
    llama_context_params params = llama_context_default_params();
    params.n_ctx = static_cast<std::uint32_t>(options.n_ctx);
    params.n_batch = static_cast<std::uint32_t>(options.n_batch);
    params.n_ubatch = static_cast<std::uint32_t>(options.n_ubatch);
    params.n_seq_max = static_cast<std::uint32_t>(options.n_seq_max);
    params.n_threads = options.n_threads;
    params.n_threads_batch = options.n_threads;
    params.flash_attn_type = flash_attn_of(options.flash_attn);
    params.type_k = type_of(options.type_k);
    params.type_v = type_of(options.type_v);
    params.kv_unified = options.kv_unified;
    params.swa_full = options.swa_full;
    params.op_offload = !options.no_op_offload;
    params.offload_kqv = !options.no_kv_offload;
    return params;
}

ContextPtr make_context(const ModelPtr& model, const llama_context_params& params) {
    ContextPtr context(llama_init_from_model(model.get(), params));
    require(context != nullptr, "the context was not made");
    return context;
}

Decoder::Decoder(llama_context* context, Records& records, int seed, std::string label)
    : context_(context),
      records_(records),
      seed_(seed),
      label_(std::move(label)),
      batch_(llama_batch_init(kLargestBatch, 0, 1)) {
    const llama_model* model = llama_get_model(context);
    n_vocab_ = llama_vocab_n_tokens(llama_model_get_vocab(model));
    n_embd_ = llama_model_n_embd_out(model);
}

Decoder::~Decoder() { llama_batch_free(batch_); }

void Decoder::add(Sequence& sequence, bool output) {
    require(batch_.n_tokens < kLargestBatch, "the batch is full");
    std::minstd_rand random(
        static_cast<unsigned>(seed_ + sequence.id * 7919 + sequence.position * 104729));
    random.discard(3);
    const int i = batch_.n_tokens++;
    batch_.token[i] = llama_token(random() % static_cast<unsigned>(n_vocab_));
    batch_.pos[i] = sequence.position++;
    batch_.n_seq_id[i] = 1;
    batch_.seq_id[i][0] = sequence.id;
    batch_.logits[i] = output ? 1 : 0;
}

void Decoder::decode() {
    const int status = llama_decode(context_, batch_);
    require(status == 0, fmt::format("llama_decode returned {}", status));
    ++n_decoded_;
    for (int i = 0; i < batch_.n_tokens; ++i) {
        if (batch_.logits[i] != 0) note_output(i);
    }
    batch_.n_tokens = 0;
}

void Decoder::note_output(int index) {
    const float* logits = llama_get_logits_ith(context_, index);
    require(logits != nullptr, "there are no logits");
    const std::string name = fmt::format("{}decode {} token {}", label_, n_decoded_, index);
    records_.push_back({name, {logits, logits + n_vocab_}});
    if (llama_get_embeddings(context_) != nullptr) {
        const float* embedding = llama_get_embeddings_ith(context_, index);
        require(embedding != nullptr, "there is no embedding");
        records_.push_back({name + " embedding", {embedding, embedding + n_embd_}});
    }
}

void Decoder::prompt(Sequence& sequence, int n_tokens, Outputs outputs) {
    for (int i = 1; i <= n_tokens; ++i) add(sequence, outputs == Outputs::All || i == n_tokens);
    decode();
}

bool Decoder::interrupted_prompt(const Sequence& sequence, int n_tokens, int n_questions) {
    Sequence copy = sequence;
    for (int i = 1; i <= n_tokens; ++i) add(copy, i == n_tokens);
    const auto count_down = [](void* left) { return (*static_cast<int*>(left))-- == 0; };
    llama_set_abort_callback(context_, count_down, &n_questions);
    const int status = llama_decode(context_, batch_);
    llama_set_abort_callback(context_, nullptr, nullptr);
    constexpr int kAborted = 2;
    require(status == 0 || status == kAborted, fmt::format("llama_decode returned {}", status));
    batch_.n_tokens = 0;
    if (!llama_memory_seq_rm(memory(), sequence.id, sequence.position, -1)) {
        fail("a recurrent state cannot go back", kUnsupported);
    }
    return status == kAborted;
}

void Decoder::prompt_beside(Sequence& sequence,
                            int n_tokens,
                            const std::vector<Sequence*>& others) {
    for (int i = 1; i <= n_tokens; ++i) add(sequence, i == n_tokens);
    for (Sequence* other : others) add(*other, true);
    decode();
}

void Decoder::generate(const std::vector<Sequence*>& sequences, int n_steps) {
    for (int step = 0; step < n_steps; ++step) {
        for (Sequence* sequence : sequences) add(*sequence, true);
        decode();
    }
}

void Decoder::generate(Sequence& sequence, int n_steps) { generate({&sequence}, n_steps); }

}  // namespace pshard::backend_test
