// A copy of a model's headers that llama.cpp loads in milliseconds.
//
// When llama.cpp loads a model without its weights, nearly all of the time goes into the
// vocabulary: a hundred thousand tokens, scores and merges. Only the number of tokens decides the
// size of anything. The slim copy is the header with
//
//   * the arrays and texts under "tokenizer." left out, among them the chat templates;
//   * tokenizer.ggml.model = "no_vocab" and ARCH.vocab_size = the number of tokens, from which
//     llama.cpp makes that many dummy tokens (llama-vocab.cpp, llama_vocab::impl::load);
//   * all other keys and the table of tensors as they are, and the data section as a hole of the
//     same size, so that llama.cpp's checks of offsets hold.
//
// The copy lives in memory (memfd), one file for each split, under the path /proc/self/fd/N.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "capture/gguf_header.h"

namespace pshard {

class SlimModel {
public:
    // Fails if the system has no memfd or no room for the copy.
    static Result<SlimModel> make(const std::vector<GgufHeader>& files);

    SlimModel(SlimModel&& other) noexcept = default;
    SlimModel& operator=(SlimModel&& other) noexcept = default;

    // The paths that llama.cpp gets in place of the files' own; they are valid while this lives.
    [[nodiscard]] std::vector<std::string> paths() const;

private:
    class File {
    public:
        explicit File(int descriptor) : descriptor_(descriptor) {}

        ~File();
        File(File&& other) noexcept;
        File& operator=(File&& other) noexcept;

        [[nodiscard]] int descriptor() const { return descriptor_; }

    private:
        int descriptor_ = -1;
    };

    SlimModel() = default;

    std::vector<File> files_;
};

}  // namespace pshard
