// What a run of the model asks of llama.cpp: the context parameters that decide the sizes of the
// KV cache and of the compute graphs. Every caller sets each of them on purpose, because the
// library, llama-cli and llama-server have different defaults.
#pragma once

#include <cstdint>
#include <string>

namespace pshard {

enum class FlashAttention { Off, On, Auto };  // llama.cpp: -fa off|on|auto

// How many rows of logits a run keeps [A13], which decides the output rows of each graph.
enum class OutputUse {
    Server,      // llama-server: one row per sequence
    Cli,         // llama-cli, llama-completion: one row
    Perplexity,  // llama-perplexity: a row for every token
    Bench,       // llama-bench: one row
};

struct ContextSpec {
    std::uint32_t n_ctx = 4096;    // tokens in total, over all sequences
    std::uint32_t n_batch = 2048;  // logical batch, tokens
    std::uint32_t n_ubatch = 512;  // physical batch, tokens; sizes KV and SWA cells in all tiers
    std::uint32_t n_seq_max = 1;   // -np
    bool kv_unified = false;       // -kvu
    bool swa_full = false;         // --swa-full
    FlashAttention flash_attention = FlashAttention::Auto;
    std::string type_k = "f16";  // -ctk, ggml type name
    std::string type_v = "f16";  // -ctv
    OutputUse output_use = OutputUse::Server;
    std::uint32_t n_outputs = 0;  // --n-outputs: rows kept per graph; 0: output_use decides

    bool operator==(const ContextSpec&) const = default;
};

// The rows of logits in the graph of a tier of `n_tokens` tokens: at least 1, at most `n_tokens`.
std::uint32_t output_rows(const ContextSpec& context, std::uint32_t n_tokens);

// The tokens that one sequence may hold: all of the context if the cache is unified, else its
// share, rounded as llama.cpp rounds it (llama-context.cpp, v0.5.0).
std::uint32_t tokens_per_sequence(const ContextSpec& context);

}  // namespace pshard
