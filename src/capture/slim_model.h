// A copy of a model's headers that llama.cpp loads in milliseconds.
//
// When llama.cpp loads a model without its weights, nearly all of the time goes into the
// vocabulary: a hundred thousand tokens, scores and merges. Only the number of tokens decides the
// size of anything: the slim copy has it, with tokenizer.ggml.model = "no_vocab", and llama.cpp
// makes that many dummy tokens (llama-vocab.cpp, llama_vocab::impl::load). The copy lives in memory
// (memfd), one file for each split, under the path /proc/self/fd/N.
#pragma once

#include <string>
#include <vector>

#include "base/descriptor.h"
#include "base/result.h"
#include "capture/gguf_header.h"

namespace pshard {

class SlimModel {
public:
    // Fails if the system has no memfd or no room for the copy.
    static Result<SlimModel> make(const std::vector<GgufHeader>& files);

    // The paths that llama.cpp gets in place of the files' own; they are valid while this lives.
    [[nodiscard]] std::vector<std::string> paths() const;

private:
    SlimModel() = default;

    std::vector<Descriptor> files_;
};

}  // namespace pshard
