// Tokenizers of the right size with made-up words.
//
// Planning needs the numbers of a vocabulary (tokens, merges, hence megabytes of header and seconds
// of loading), not its words. The words are built so that llama.cpp accepts and can use them: a BPE
// vocabulary has all 256 bytes and its merges lead to its tokens; an SPM one has the byte tokens.
#pragma once

#include <string>

#include "base/result.h"
#include "models/header.h"

namespace pshard::shapes {

// Adds all tokenizer.ggml.* keys for `n_vocab` tokens.
// Fails: an unknown tokenizer, or n_vocab too small for it.
Status add_tokenizer(Header& header, const std::string& tokenizer, int n_vocab);

}  // namespace pshard::shapes
