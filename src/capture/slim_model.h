// A copy of a model's headers that llama.cpp loads in milliseconds.
//
// Nearly all of the time that llama.cpp takes to load a model without its weights goes into the
// vocabulary: a hundred thousand tokens, scores and merges. None of it decides the size of anything
// but for the number of tokens. The slim copy is the header with
//
//   * the arrays under "tokenizer." left out, and the chat templates with them;
//   * tokenizer.ggml.model = "no_vocab" and ARCH.vocab_size = the number of tokens, from which
//     llama.cpp makes that many dummy tokens (llama-vocab.cpp, llama_vocab::impl::load);
//   * all other keys and the table of tensors as they are, and the data section as a hole of the
//     same size, so that llama.cpp's checks of offsets hold.
//
// It lives in memory (memfd), one file per split, and is named by path: /proc/self/fd/N.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "capture/gguf_header.h"

namespace pshard {

class SlimModel {
public:
    // Fails if the system has no memfd or no room for it.
    static Result<SlimModel> make(const std::vector<GgufHeader>& files);

    SlimModel(SlimModel&& other) noexcept = default;
    SlimModel& operator=(SlimModel&& other) noexcept = default;

    // What to give to llama.cpp in place of the files' own paths; good while this lives.
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
