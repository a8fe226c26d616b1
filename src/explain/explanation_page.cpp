#include <algorithm>

#include "base/result.h"
#include "explain/forms.h"

namespace pshard {
namespace {

// The data with "<" escaped, which might end its script or begin a comment.
std::string escaped(const std::string& json) {
    std::string text;
    text.reserve(json.size());
    for (const char c : json) {
        if (c == '<') {
            text += "\\u003c";
        } else {
            text += c;
        }
    }
    return text;
}

}  // namespace

std::string explanation_page(const Explanation& explanation,
                             std::string_view page,
                             std::string_view library) {
    constexpr std::string_view kLibrary = "@LIBRARY@";
    constexpr std::string_view kData = "@DATA@";
    const std::size_t library_at = page.find(kLibrary);
    const std::size_t data_at = page.find(kData);
    PSHARD_CHECK(data_at != page.npos && library_at != page.npos && data_at < library_at);
    std::string text(page.substr(0, data_at));
    text += escaped(explanation_json(explanation));
    text += page.substr(data_at + kData.size(), library_at - data_at - kData.size());
    text += library;
    return text.append(page.substr(library_at + kLibrary.size()));
}

}  // namespace pshard
