#include "base/result.h"
#include "base/visible.h"
#include "explain/forms.h"

namespace pshard {
std::string explanation_page(const Explanation& explanation,
                             std::string_view page,
                             std::string_view library) {
    constexpr std::string_view kLibrary = "@LIBRARY@";
    constexpr std::string_view kData = "@DATA@";
    const std::size_t library_at = page.find(kLibrary);
    const std::size_t data_at = page.find(kData);
    PSHARD_CHECK(data_at != page.npos && library_at != page.npos && data_at < library_at);
    std::string text(page.substr(0, data_at));
    // A "<" in the data might end its script or begin a comment.
    for (const char c : visible_lines(explanation_json(explanation)))
        text += c == '<' ? "\\u003c" : std::string(1, c);
    text += page.substr(data_at + kData.size(), library_at - data_at - kData.size());
    text += library;
    return text.append(page.substr(library_at + kLibrary.size()));
}

}  // namespace pshard
