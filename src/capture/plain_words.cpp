#include "capture/plain_words.h"

#include <regex>

#include <fmt/format.h>

namespace pshard {

// libstdc++ searches a text by recursion, a frame for each character: a name in a hostile model is
// not looked through.
constexpr std::size_t kLongest = 2000;

std::string in_plain_words(std::string complaint) {
    // "loading: ../src/llama-model.cpp:1305: WHAT", from GGML_ASSERT and GGML_ABORT
    static const std::regex kPlace(R"(([\w.-]+\.(?:cpp|c|h)):(\d+): ([^]*)$)");
    static const std::regex kAssertion(R"(GGML_ASSERT\(([^]*)\) failed\s*)");
    constexpr const char* kCause = "the file is damaged, or made for another program";
    std::smatch place;
    if (complaint.size() > kLongest || !std::regex_search(complaint, place, kPlace))
        return complaint;
    const std::string what = place[3];
    std::smatch assertion;
    if (std::regex_match(what, assertion, kAssertion)) {
        return fmt::format(
            "figures of its header contradict each other, or its tensors, as "
            "llama.cpp v0.5.0 finds ('{}' does not hold): {}",
            assertion[1].str(),
            kCause);
    }
    return fmt::format("llama.cpp v0.5.0 cannot go on with this model ({}, line {}: {}): {}",
                       place[1].str(),
                       place[2].str(),
                       what,
                       kCause);
}

}  // namespace pshard
