#include "common/shell_word.h"

#include "base/visible.h"

namespace pshard::tool {

std::string quoted_as_visible(const std::string& word) {
    std::string text;
    for (const char c : word) text += (c == '\'' || c == '\\' ? "\\" : "") + std::string(1, c);
    return "$'" + visible(text) + "'";
}

std::string visible_word(const std::string& word) {
    return visible(word) == word ? word : quoted_as_visible(word);
}

}  // namespace pshard::tool
