#include "capture/log_capture.h"

#include <ggml.h>
#include <llama.h>

#include <cctype>

#include "capture/plain_words.h"

namespace pshard {
namespace {

std::mutex& one_capture() {
    static std::mutex mutex;
    return mutex;
}

[[noreturn]] void throw_abort(const char* message) { throw LlamaAbort(message); }

// "function_name: what happened\n" -> "what happened"
std::string without_prefix(std::string_view line) {
    while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back()))) {
        line.remove_suffix(1);
    }
    const std::size_t colon = line.find(": ");
    const std::string_view prefix = line.substr(0, colon);
    if (colon != std::string_view::npos && prefix.find(' ') == std::string_view::npos) {
        line.remove_prefix(colon + 2);
    }
    return std::string(line);
}

}  // namespace

struct LogCapture::State {
    static void on_log(ggml_log_level level, const char* text, void* user) {
        auto* state = static_cast<State*>(user);
        const std::lock_guard lock(state->mutex);
        if (level == GGML_LOG_LEVEL_ERROR && state->error.empty()) {
            state->error = without_prefix(text);
        }
        if (level == GGML_LOG_LEVEL_WARN) state->warning = without_prefix(text);
    }

    std::mutex mutex;  // needed since llama.cpp may log from its own threads
    std::string error;
    std::string warning;
    ggml_log_callback llama_callback = nullptr;
    void* llama_user = nullptr;
    ggml_log_callback ggml_callback = nullptr;
    void* ggml_user = nullptr;
    ggml_abort_callback_t abort_callback = nullptr;
};

LogCapture::LogCapture() : only_one_(one_capture()), state_(std::make_unique<State>()) {
    llama_log_get(&state_->llama_callback, &state_->llama_user);
    ggml_log_get(&state_->ggml_callback, &state_->ggml_user);
    llama_log_set(State::on_log, state_.get());
    ggml_log_set(State::on_log, state_.get());
    state_->abort_callback = ggml_set_abort_callback(throw_abort);
}

LogCapture::~LogCapture() {
    ggml_set_abort_callback(state_->abort_callback);
    llama_log_set(state_->llama_callback, state_->llama_user);
    ggml_log_set(state_->ggml_callback, state_->ggml_user);
}

std::string LogCapture::complaint() const {
    const std::lock_guard lock(state_->mutex);
    return in_plain_words(!state_->error.empty() ? state_->error : state_->warning);
}

}  // namespace pshard
