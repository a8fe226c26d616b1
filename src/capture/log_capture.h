// Keeps llama.cpp silent while it works, and keeps what it complains about.
//
// While a LogCapture lives, nothing that llama.cpp or ggml log reaches the terminal. A failed
// assertion of theirs is thrown as a LlamaAbort: the stack is unwound, and what their C code held
// is leaked. The end of the LogCapture puts the previous callbacks back. The callbacks are
// process-wide, so only one LogCapture can live at a time, and others wait for it.
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

    // The first error, since it names the cause and later ones only say that something failed; else
    // the last warning. On one line, without the name of the function before it. Empty if nothing
    // was logged. In plain words.
    [[nodiscard]] std::string complaint() const;

private:
    struct State;

    std::unique_lock<std::mutex> only_one_;
    std::unique_ptr<State> state_;
};

}  // namespace pshard
