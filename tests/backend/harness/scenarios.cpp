#include "backend/harness/scenarios.h"

#include <array>
#include <cmath>
#include <random>

#include <fmt/format.h>

#include "backend/harness/lora.h"
#include "backend/harness/mtp.h"
#include "backend/harness/session.h"

namespace pshard::backend_test {
namespace {

// One model, one context, one decoder: what most scenarios need.
struct Single {
    Single(const RunOptions& options,
           Records& records,
           const llama_context_params& params,
           const std::string& label = "")
        : model(load_model(options)),
          context(make_context(model, params)),
          decoder(context.get(), records, options.seed, label) {}

    Single(const RunOptions& options, Records& records)
        : Single(options, records, context_params(options)) {}

    ModelPtr model;
    ContextPtr context;
    Decoder decoder;
};

// The cache is read in steps of 256 tokens: the graph changes at position 256.
void decode(const RunOptions& options, Records& records) {
    Single run(options, records);
    Sequence sequence;
    run.decoder.prompt(sequence, 64);
    run.decoder.generate(sequence, 4);
    run.decoder.prompt(sequence, 171);
    run.decoder.generate(sequence, 40);
}

// The same in 20 tokens, for what is slow.
void brief(const RunOptions& options, Records& records) {
    Single run(options, records);
    Sequence sequence;
    run.decoder.prompt(sequence, 12);
    run.decoder.generate(sequence, 8);
}

void long_prompt(const RunOptions& options, Records& records) {
    Single run(options, records);
    Sequence sequence;
    run.decoder.prompt(sequence, 300, Decoder::Outputs::All);
    run.decoder.generate(sequence, 4);
}

// Four texts of different lengths; one starts while the others go on, one ends and starts again.
void np4(const RunOptions& options, Records& records) {
    Single run(options, records);
    Decoder& decoder = run.decoder;
    Sequence a{.id = 0};
    Sequence b{.id = 1};
    Sequence c{.id = 2};
    Sequence d{.id = 3};
    decoder.prompt(a, 20);
    decoder.prompt_beside(b, 33, {&a});
    decoder.generate({&a, &b}, 3);
    decoder.prompt_beside(c, 7, {&a, &b});
    decoder.prompt_beside(d, 50, {&b, &c});
    decoder.generate({&a, &b, &c, &d}, 8);
    require(llama_memory_seq_rm(decoder.memory(), b.id, -1, -1), "a sequence was not removed");
    b = {.id = 1};
    decoder.prompt_beside(b, 40, {&a, &c, &d});
    decoder.generate({&d, &c, &b, &a}, 8);
}

std::string architecture_of(const llama_model& model) {
    std::array<char, 64> name{};
    llama_model_meta_val_str(&model, "general.architecture", name.data(), name.size());
    return name.data();
}

// llama.cpp v0.5.0 aborts in the graph that it makes for granitehybrid.
bool can_shift(const Single& run) {
    return llama_memory_can_shift(run.decoder.memory()) &&
           architecture_of(*run.model) != "granitehybrid";
}

void kshift(const RunOptions& options, Records& records) {
    Single run(options, records);
    Decoder& decoder = run.decoder;
    if (!can_shift(run)) fail("no K-shift", kUnsupported);
    Sequence sequence;
    decoder.prompt(sequence, 40);
    decoder.generate(sequence, 4);
    for (int i = 0; i < 2; ++i) {
        if (!llama_memory_seq_rm(decoder.memory(), 0, 4, 14)) fail("no removal", kUnsupported);
        llama_memory_seq_add(decoder.memory(), 0, 14, -1, -10);
        sequence.position -= 10;
        decoder.generate(sequence, 6);
    }
}

// A copy goes its own way, and so does the original.
void seq_cp(const RunOptions& options, Records& records) {
    Single run(options, records);
    Decoder& decoder = run.decoder;
    Sequence first;
    decoder.prompt(first, 40);
    decoder.generate(first, 3);
    llama_memory_seq_cp(decoder.memory(), 0, 1, -1, -1);
    Sequence second = first;
    second.id = 1;
    decoder.generate({&first, &second}, 6);
    decoder.prompt_beside(second, 20, {&first});
    decoder.generate({&second, &first}, 6);
}

std::vector<std::uint8_t> whole_state(llama_context* context) {
    std::vector<std::uint8_t> state(llama_state_get_size(context));
    state.resize(llama_state_get_data(context, state.data(), state.size()));
    return state;
}

std::vector<std::uint8_t> sequence_state(llama_context* context, llama_seq_id id) {
    std::vector<std::uint8_t> state(llama_state_seq_get_size(context, id));
    state.resize(llama_state_seq_get_data(context, state.data(), state.size(), id));
    return state;
}

// What follows is computed twice: before and after the state was restored.
void state(const RunOptions& options, Records& records) {
    Single run(options, records);
    Decoder& decoder = run.decoder;
    Sequence sequence;
    decoder.prompt(sequence, 40);
    decoder.generate(sequence, 4);
    const Sequence saved = sequence;
    const auto blob = whole_state(decoder.context());
    records.push_back({"state", {}, {blob.size(), hash_of(blob)}});
    decoder.generate(sequence, 6);
    llama_memory_clear(decoder.memory(), true);
    require(llama_state_set_data(decoder.context(), blob.data(), blob.size()) == blob.size(),
            "the state was not restored");
    sequence = saved;
    decoder.generate(sequence, 6);
    const auto again = whole_state(decoder.context());
    records.push_back({"state again", {}, {again.size(), hash_of(again)}});
}

// Restored into its own place, and into another sequence.
void state_seq(const RunOptions& options, Records& records) {
    Single run(options, records);
    Decoder& decoder = run.decoder;
    Sequence a{.id = 0};
    Sequence b{.id = 1};
    decoder.prompt(a, 40);
    decoder.prompt(b, 25);
    decoder.generate({&a, &b}, 4);
    const Sequence saved = a;
    const auto blob = sequence_state(decoder.context(), a.id);
    records.push_back({"state of a sequence", {}, {blob.size(), hash_of(blob)}});
    decoder.generate({&a, &b}, 4);
    for (const llama_seq_id id : {0, 1}) {
        require(llama_memory_seq_rm(decoder.memory(), id, -1, -1), "a sequence was not removed");
        const std::size_t n =
            llama_state_seq_set_data(decoder.context(), blob.data(), blob.size(), id);
        require(n == blob.size(), "the state was not restored");
        Sequence& restored = id == 0 ? a : b;
        restored = saved;
        restored.id = id;
        decoder.generate({&a, &b}, 4);
    }
}

// Two contexts of different sizes on one model, in turns; the first ends before the second.
void two_contexts(const RunOptions& options, Records& records) {
    const ModelPtr model = load_model(options);
    llama_context_params params = context_params(options);
    ContextPtr first = make_context(model, params);
    params.n_ctx = params.n_ctx / 2;
    params.n_ubatch = params.n_ubatch / 2;
    ContextPtr second = make_context(model, params);
    Decoder b(second.get(), records, options.seed, "B ");
    Sequence in_b;
    {
        Decoder a(first.get(), records, options.seed, "A ");
        Sequence in_a;
        a.prompt(in_a, 30);
        b.prompt(in_b, 20);
        for (int i = 0; i < 6; ++i) {
            a.generate(in_a, 1);
            b.generate(in_b, 1 + i % 2);
        }
    }
    first.reset();
    b.generate(in_b, 4);
}

// The same file twice, as a draft model would be: equal names of weights, two owners. Then the
// first model goes, the second goes on, and a third takes the place of the first.
void two_models(const RunOptions& options, Records& records) {
    auto first = std::make_unique<Single>(options, records, context_params(options), "A ");
    Single second(options, records, context_params(options), "B ");
    Sequence a;
    Sequence b{.id = 1};
    first->decoder.prompt(a, 30);
    second.decoder.prompt(b, 20);
    for (int i = 0; i < 4; ++i) {
        first->decoder.generate(a, 1);
        second.decoder.generate(b, 1);
    }
    first.reset();
    second.decoder.generate(b, 3);
    Single third(options, records, context_params(options), "C ");
    Sequence c;
    third.decoder.prompt(c, 30);
    third.decoder.generate(c, 3);
    second.decoder.generate(b, 3);
}

void lora(const RunOptions& options, Records& records) {
    Single run(options, records);
    llama_adapter_lora* adapter = add_random_lora(run.model.get(), options.model);
    if (adapter == nullptr) fail("no weights for an adapter", kUnsupported);
    Sequence sequence;
    run.decoder.prompt(sequence, 20);
    float scale = 1.0f;
    require(llama_set_adapters_lora(run.decoder.context(), &adapter, 1, &scale) == 0,
            "the adapter was not set");
    run.decoder.prompt(sequence, 20);
    run.decoder.generate(sequence, 6);
    require(llama_set_adapters_lora(run.decoder.context(), nullptr, 0, nullptr) == 0,
            "the adapter was not taken off");
    run.decoder.generate(sequence, 4);
}

void control_vector(const RunOptions& options, Records& records) {
    Single run(options, records);
    const int n_embd = llama_model_n_embd(run.model.get());
    const int n_layer = llama_model_n_layer(run.model.get());
    std::vector<float> data(static_cast<std::size_t>(n_embd) *
                            static_cast<std::size_t>(n_layer - 1));
    for (std::size_t i = 0; i < data.size(); ++i) data[i] = 0.05f * std::sin(float(i) * 0.37f);
    Sequence sequence;
    run.decoder.prompt(sequence, 20);
    require(llama_set_adapter_cvec(
                run.decoder.context(), data.data(), data.size(), n_embd, 1, n_layer) == 0,
            "the control vector was not set");
    run.decoder.prompt(sequence, 20);
    run.decoder.generate(sequence, 6);
}

void embeddings(const RunOptions& options, Records& records) {
    llama_context_params params = context_params(options);
    params.embeddings = true;
    Single run(options, records, params);
    Sequence sequence;
    run.decoder.prompt(sequence, 40, Decoder::Outputs::All);
    run.decoder.generate(sequence, 4);
}

// Batches of several and of one ubatch and single tokens are given up, then computed.
void aborted(const RunOptions& options, Records& records) {
    Single run(options, records);
    Decoder& decoder = run.decoder;
    Sequence sequence;
    int n_aborted = 0;
    int n_tried = 0;
    decoder.prompt(sequence, 10);
    for (const int n_questions : {0, 1, 2, 3}) {
        for (const int n_tokens : {40, 20, 1, 1}) {
            n_aborted += decoder.interrupted_prompt(sequence, n_tokens, n_questions) ? 1 : 0;
            ++n_tried;
            decoder.prompt(sequence, n_tokens);
        }
    }
    fmt::print("{} of {} batches were aborted\n", n_aborted, n_tried);
}

// A K-shift is given up at each of its layers in turn. The token behind it is computed as the one
// before it was, though another graph has run in between; what it says is taken back.
void aborted_kshift(const RunOptions& options, Records& records) {
    Single run(options, records);
    Decoder& decoder = run.decoder;
    if (!can_shift(run)) fail("no K-shift", kUnsupported);
    for (int n_questions = 0; n_questions < 8; ++n_questions) {
        Sequence sequence;
        decoder.prompt(sequence, 40);
        decoder.generate(sequence, 2);
        if (!llama_memory_seq_rm(decoder.memory(), 0, 4, 14)) fail("no removal", kUnsupported);
        llama_memory_seq_add(decoder.memory(), 0, 14, -1, -10);
        sequence.position -= 10;
        decoder.interrupted_prompt(sequence, 1, n_questions);
        require(llama_memory_seq_rm(decoder.memory(), 0, -1, -1), "a sequence was not removed");
    }
}

bool note_node(ggml_tensor* node, bool ask, void* user_data) {
    if (ask) return true;
    auto& records = *static_cast<Records*>(user_data);
    const std::size_t size = ggml_nbytes(node);
    if (size == 0 || node->buffer == nullptr) return true;
    std::vector<std::uint8_t> bytes(size);
    ggml_backend_tensor_get(node, bytes.data(), 0, size);
    records.push_back(
        {fmt::format("{} {}", ggml_op_name(node->op), node->name), {}, {size, hash_of(bytes)}});
    return true;
}

// As imatrix does it: llama.cpp asks for every node, so each is a graph of its own.
void eval_callback(const RunOptions& options, Records& records) {
    llama_context_params params = context_params(options);
    params.cb_eval = note_node;
    params.cb_eval_user_data = &records;
    Single run(options, records, params);
    Sequence sequence;
    run.decoder.prompt(sequence, 20);
    run.decoder.generate(sequence, 3);
}

// Batches of any size to any of four texts, which end and begin again.
void wander(const RunOptions& options, Records& records) {
    constexpr int kLongestPrompt = 40;
    Single run(options, records);
    Decoder& decoder = run.decoder;
    std::array<Sequence, 4> texts{{{.id = 0}, {.id = 1}, {.id = 2}, {.id = 3}}};
    std::mt19937 random(static_cast<unsigned>(options.seed));
    const auto below = [&](int limit) { return static_cast<int>(random() % unsigned(limit)); };
    const int room = options.n_ctx / static_cast<int>(texts.size()) - kLongestPrompt - 1;
    for (int step = 0; step < options.n_steps; ++step) {
        Sequence& text = texts.at(static_cast<std::size_t>(below(4)));
        if (text.position > room || below(20) == 0) {
            require(llama_memory_seq_rm(decoder.memory(), text.id, -1, -1), "no removal");
            text.position = 0;
        }
        if (text.position == 0 || below(4) == 0) {
            decoder.prompt(text, 1 + below(kLongestPrompt));
        } else {
            decoder.generate(text, 1);
        }
    }
}

}  // namespace

const std::vector<Scenario>& scenarios() {
    static const std::vector<Scenario> all = {
        {"decode", "prompts and single tokens, past position 256", decode},
        {"brief", "a short prompt and 8 tokens", brief},
        {"long-prompt", "300 tokens in ubatches, all outputs", long_prompt},
        {"np4", "four sequences, interleaved", np4, 4},
        {"kshift", "tokens removed, later ones moved down", kshift},
        {"seq-cp", "a copy of a sequence that goes its own way", seq_cp, 2},
        {"state", "the whole state saved and restored", state},
        {"state-seq", "a sequence saved, restored in its place and in another", state_seq, 2},
        {"two-contexts", "two contexts on one model, in turns", two_contexts},
        {"two-models", "the same file loaded twice, then a third time", two_models, 2},
        {"lora", "an adapter set and taken off", lora},
        {"control-vector", "a control vector on all layers", control_vector},
        {"embeddings", "embeddings beside logits", embeddings},
        {"wander", "--steps random batches of four sequences", wander, 4},
        {"mtp", "drafts of the model's own MTP layers", mtp},
        {"abort", "batches given up while they are computed", aborted},
        {"abort-kshift", "tokens moved down, given up halfway", aborted_kshift},
        {"eval-callback", "a hash of every node", eval_callback},
    };
    return all;
}

}  // namespace pshard::backend_test
