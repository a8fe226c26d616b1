// A model, contexts on it, and sequences that are decoded in them; every output is noted down.
// Whatever fails ends the process: this is the whole work of the program logits_run.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backend/harness/records.h"
#include "backend/harness/run_options.h"
#include "llama.h"

namespace pshard::backend_test {

inline constexpr int kFailed = 1;
inline constexpr int kUnsupported = 77;  // llama.cpp cannot do this with this model

[[noreturn]] void fail(const std::string& what, int exit_code = kFailed);
void require(bool good, const std::string& what);

struct Free {
    void operator()(llama_model* model) const { llama_model_free(model); }

    void operator()(llama_context* context) const { llama_free(context); }
};

using ModelPtr = std::unique_ptr<llama_model, Free>;
using ContextPtr = std::unique_ptr<llama_context, Free>;

// Loads ggml's backends, and with them the one that GGML_BACKEND_PATH names.
void load_backends();

ModelPtr load_model(const RunOptions& options);

// The context that the options ask for; scenarios change it before use.
llama_context_params context_params(const RunOptions& options);
ContextPtr make_context(const ModelPtr& model, const llama_context_params& params);

// A text under way. Its tokens follow from the seed, the sequence's number and the position, never
// from the model's own choice: so runs that differ a little do not go different ways.
struct Sequence {
    llama_seq_id id = 0;
    llama_pos position = 0;  // of the next token
};

// Decodes in one context and notes every output down.
class Decoder {
public:
    Decoder(llama_context* context, Records& records, int seed, std::string label = "");
    ~Decoder();
    Decoder(const Decoder&) = delete;
    Decoder& operator=(const Decoder&) = delete;

    enum class Outputs { Last, All };  // of the tokens of a prompt

    // `n_tokens` in one batch.
    void prompt(Sequence& sequence, int n_tokens, Outputs outputs = Outputs::Last);

    // `n_steps` times one token of each sequence, all sequences in one batch.
    void generate(const std::vector<Sequence*>& sequences, int n_steps);
    void generate(Sequence& sequence, int n_steps);

    // The same with an abort callback that says no `n_questions` times, once yes, then no. Whether
    // the batch heard it. Nothing is noted down, and the sequence is what it was before.
    bool interrupted_prompt(const Sequence& sequence, int n_tokens, int n_questions);

    // A prompt of one sequence in one batch with a token of each of the others.
    void prompt_beside(Sequence& sequence, int n_tokens, const std::vector<Sequence*>& others);

    [[nodiscard]] llama_context* context() const { return context_; }

    [[nodiscard]] llama_memory_t memory() const { return llama_get_memory(context_); }

private:
    void add(Sequence& sequence, bool output);
    void decode();  // the batch, notes its outputs down, and empties it
    void note_output(int index);

    llama_context* context_;
    Records& records_;
    int seed_;
    std::string label_;
    llama_batch batch_{};
    int n_vocab_ = 0;
    int n_embd_ = 0;
    int n_decoded_ = 0;
};

}  // namespace pshard::backend_test
