#include "models/tokenizer.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

namespace pshard::shapes {
namespace {

struct TokenizerShape {
    std::string name;
    std::string model;  // tokenizer.ggml.model: "gpt2" is BPE, "llama" is SPM
    std::string pre;    // tokenizer.ggml.pre, BPE alone
    int n_words;        // BPE tokens that are not special; -1: all but n_special
    int n_merges;       // -1: one per word
    bool add_bos;
};

// Sizes: tokenizer.json of the public models (entries of model.vocab and model.merges).
const std::vector<TokenizerShape>& all_tokenizers() {
    static const std::vector<TokenizerShape> tokenizers = {
        {"llama3", "gpt2", "llama-bpe", 128000, 280147, true},
        {"llama4", "gpt2", "llama4", 200000, 439802, true},
        {"qwen2", "gpt2", "qwen2", 151643, 151387, false},
        {"gpt-oss", "gpt2", "gpt-4o", 199998, 446189, false},
        {"deepseek-v2", "gpt2", "deepseek-llm", 100000, 99757, true},
        {"deepseek-v3", "gpt2", "deepseek-v3", 128000, 127741, true},
        {"glm4", "gpt2", "glm4", 151329, 318088, false},
        {"gpt4", "gpt2", "dbrx", 100256, 100000, false},
        {"tekken", "gpt2", "tekken", 130072, 269443, true},
        {"command-r", "gpt2", "command-r", 255000, 253333, true},
        {"falcon-h1", "gpt2", "falcon-h1", 129000, 128700, false},
        {"spm", "llama", "", -1, 0, true},
        {"small", "gpt2", "gpt-2", -1, -1, false},
    };
    return tokenizers;
}

constexpr int kTypeNormal = 1;  // llama_token_type in llama.h
constexpr int kTypeUnknown = 2;
constexpr int kTypeControl = 3;
constexpr int kTypeByte = 6;
constexpr int kSmallSpecials = 4;
constexpr int kLetters = 26;
constexpr int kPairs = kLetters * kLetters;

struct Vocabulary {
    std::vector<std::string> tokens;
    std::vector<std::int32_t> types;
    std::vector<std::string> merges;

    void add(std::string token, std::int32_t type) {
        tokens.push_back(std::move(token));
        types.push_back(type);
    }

    // Adds the token `left` + `right` and the merge that makes it.
    void add_merged(const std::string& left, const std::string& right) {
        add(left + right, kTypeNormal);
        merges.push_back(left + " " + right);
    }
};

std::string utf8(int code_point) {
    if (code_point < 0x80) {
        return {static_cast<char>(code_point)};
    }
    return {static_cast<char>(0xC0 | (code_point >> 6)),
            static_cast<char>(0x80 | (code_point & 0x3F))};
}

// GPT-2's spelling of a byte: itself where printable, else the next of 256, 257, ...
// Source: bytes_to_unicode() of openai/gpt-2, encoder.py.
std::vector<std::string> byte_spellings() {
    std::vector<std::string> spellings;
    int next = 256;
    for (int byte = 0; byte < 256; ++byte) {
        const bool printable =
            (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
        spellings.push_back(utf8(printable ? byte : next++));
    }
    return spellings;
}

// Two letters, chosen by a number below kPairs.
std::string pair(int number) {
    return {static_cast<char>('a' + number / kLetters), static_cast<char>('a' + number % kLetters)};
}

// The four letters of the i-th stem: all different for i below 26^4 = 456976, in no visible order
// (the factor shares no divisor with 26^4).
std::string stem(std::int64_t i) {
    const std::int64_t number = i * 182681 % (std::int64_t{kPairs} * kPairs);
    return pair(static_cast<int>(number / kPairs)) + pair(static_cast<int>(number % kPairs));
}

// Adds words until the vocabulary has `n_words`: " x", then pairs of letters, then stems that grow
// to words of 4, 6 and 8 letters: about 6 bytes on average, as in real vocabularies.
void add_words(Vocabulary& vocabulary, const std::string& space, size_t n_words) {
    for (int i = 0; i < kLetters && vocabulary.tokens.size() < n_words; ++i) {
        vocabulary.add_merged(space, std::string(1, static_cast<char>('a' + i)));
    }
    for (int i = 0; i < kPairs && vocabulary.tokens.size() < n_words; ++i) {
        vocabulary.add_merged(pair(i).substr(0, 1), pair(i).substr(1));
    }
    for (int i = 0; vocabulary.tokens.size() < n_words; ++i) {
        std::string left = stem(i).substr(0, 2);
        std::string right = stem(i).substr(2);
        for (int n = 0; n < 3 && vocabulary.tokens.size() < n_words; ++n) {
            vocabulary.add_merged(left, right);
            left += right;
            right = pair((i + 31 * n) % kPairs);
        }
    }
}

// Adds other splits of the words, after `cut` bytes, until there are `n_merges`.
void add_splits(Vocabulary& vocabulary, size_t cut, size_t n_merges) {
    for (const std::string& token : vocabulary.tokens) {
        if (vocabulary.merges.size() == n_merges) {
            return;
        }
        if (token.size() > cut + 3) {
            vocabulary.merges.push_back(token.substr(0, cut) + " " + token.substr(cut));
        }
    }
}

// Makes the number of merges right: real lists have several ways to one token, or miss some.
void fit_merges(Vocabulary& vocabulary, size_t n_merges) {
    for (size_t cut = 1; vocabulary.merges.size() < n_merges && cut < 8; ++cut) {
        add_splits(vocabulary, cut, n_merges);
    }
    vocabulary.merges.resize(std::min(n_merges, vocabulary.merges.size()));
}

void add_specials(Vocabulary& vocabulary, size_t n_vocab) {
    vocabulary.add("<|begin_of_text|>", kTypeControl);
    vocabulary.add("<|end_of_text|>", kTypeControl);
    vocabulary.add("<|eot_id|>", kTypeControl);
    for (int i = 0; vocabulary.tokens.size() < n_vocab; ++i) {
        vocabulary.add(fmt::format("<|reserved_special_token_{}|>", i), kTypeControl);
    }
}

void add_bpe(Header& header, const TokenizerShape& shape, int n_vocab) {
    const int n_words = shape.n_words > 0 ? shape.n_words : n_vocab - kSmallSpecials;
    Vocabulary vocabulary;
    for (const std::string& spelling : byte_spellings()) {
        vocabulary.add(spelling, kTypeNormal);
    }
    add_words(vocabulary, byte_spellings()[' '], static_cast<size_t>(n_words));
    if (shape.n_merges >= 0) {
        fit_merges(vocabulary, static_cast<size_t>(shape.n_merges));
    }
    add_specials(vocabulary, static_cast<size_t>(n_vocab));
    header.text("tokenizer.ggml.pre", shape.pre);
    header.texts("tokenizer.ggml.tokens", vocabulary.tokens);
    header.i32s("tokenizer.ggml.token_type", vocabulary.types);
    header.texts("tokenizer.ggml.merges", vocabulary.merges);
    header.u32("tokenizer.ggml.bos_token_id", n_words);
    header.u32("tokenizer.ggml.eos_token_id", n_words + 1);
    header.u32("tokenizer.ggml.padding_token_id", n_words + 1);
}

void add_spm(Header& header, int n_vocab) {
    Vocabulary vocabulary;
    vocabulary.add("<unk>", kTypeUnknown);
    vocabulary.add("<s>", kTypeControl);
    vocabulary.add("</s>", kTypeControl);
    for (int byte = 0; byte < 256; ++byte) {
        vocabulary.add(fmt::format("<0x{:02X}>", byte), kTypeByte);
    }
    const size_t n_fixed = vocabulary.tokens.size();
    add_words(vocabulary, "\xE2\x96\x81", static_cast<size_t>(n_vocab));  // U+2581
    std::vector<float> scores(static_cast<size_t>(n_vocab), 0.0f);
    for (size_t i = n_fixed; i < scores.size(); ++i) {
        scores[i] = -static_cast<float>(i - n_fixed);
    }
    header.texts("tokenizer.ggml.tokens", vocabulary.tokens);
    header.f32s("tokenizer.ggml.scores", scores);
    header.i32s("tokenizer.ggml.token_type", vocabulary.types);
    header.u32("tokenizer.ggml.bos_token_id", 1);
    header.u32("tokenizer.ggml.eos_token_id", 2);
    header.u32("tokenizer.ggml.unknown_token_id", 0);
}

}  // namespace

Status add_tokenizer(Header& header, const std::string& tokenizer, int n_vocab) {
    const auto& tokenizers = all_tokenizers();
    const auto found = std::ranges::find(tokenizers, tokenizer, &TokenizerShape::name);
    if (found == tokenizers.end()) {
        return Error{fmt::format("tokenizer '{}' is not known to pshard-make-model", tokenizer),
                     {}};
    }
    const int least = std::max(found->n_words, 256) + kSmallSpecials;
    if (n_vocab < least) {
        return Error{fmt::format("a vocabulary of {} tokens is too small for tokenizer '{}': it "
                                 "needs at least {}",
                                 n_vocab,
                                 tokenizer,
                                 least),
                     {}};
    }
    header.text("tokenizer.ggml.model", found->model);
    if (found->model == "gpt2") {
        add_bpe(header, *found, n_vocab);
    } else {
        add_spm(header, n_vocab);
    }
    header.flag("tokenizer.ggml.add_bos_token", found->add_bos);
    return Done{};
}

}  // namespace pshard::shapes
