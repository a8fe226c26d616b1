// Silence while llama.cpp works, and what it complained about.
//
// While one lives, nothing that llama.cpp or ggml log reaches the terminal, a failed assertion of
// theirs is thrown as a LlamaAbort (its frames are unwound, what they held in C is leaked), and
// what it complained about is kept. The previous callbacks are back when it ends. The callbacks are
// process-wide, so only one can live at a time: others wait.
#pragma once

#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>

namespace pshard {

class LlamaAbort : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

class LogCapture {
public:
    LogCapture();
    ~LogCapture();

    LogCapture(const LogCapture&) = delete;
    LogCapture& operator=(const LogCapture&) = delete;

    // The first error, which names the cause (those after it say that something failed), else the
    // last warning; on one line, without its function prefix. Empty if there was none.
    [[nodiscard]] std::string complaint() const;

private:
    struct State;

    std::unique_lock<std::mutex> only_one_;
    std::unique_ptr<State> state_;
};

}  // namespace pshard
