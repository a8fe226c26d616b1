#include "registry/override_list.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"

namespace pshard {
namespace {

std::optional<OverrideItem> parse_item(std::string_view text) {
    const std::size_t equals = text.find('=');
    const std::size_t colon = text.rfind(':');
    if (equals == std::string_view::npos || equals == 0) return std::nullopt;
    if (colon == std::string_view::npos || colon < equals) return std::nullopt;
    const std::optional<int> lane = number_of<int>(text.substr(colon + 1));
    if (!lane || *lane < 0) return std::nullopt;
    return OverrideItem{std::string(text.substr(0, equals)),
                        std::string(text.substr(equals + 1, colon - equals - 1)),
                        *lane};
}

}  // namespace

Result<std::vector<OverrideItem>> parse_ot(std::string_view text) {
    std::vector<OverrideItem> items;
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        const std::string_view item_text = text.substr(begin, end - begin);
        std::optional<OverrideItem> item = parse_item(item_text);
        if (!item) {
            return Error{
                fmt::format("'{}': expected REGEX=BUFFER_TYPE:LANE", item_text.substr(0, 80)),
                {"", 0, static_cast<int>(begin) + 1}};
        }
        items.push_back(std::move(*item));
        begin = end + 1;
    }
    return items;
}

std::string to_text(const std::vector<OverrideItem>& items) {
    std::string text;
    for (const OverrideItem& item : items) {
        if (!text.empty()) text += ',';
        text += fmt::format("{}={}:{}", item.pattern, item.buffer_type, item.lane);
    }
    return text;
}

Result<OverrideList> OverrideList::compile(const std::vector<OverrideItem>& items) {
    constexpr std::size_t kMaxPattern = 1024;  // std::regex compiles by recursion
    OverrideList list;
    for (const OverrideItem& item : items) {
        if (item.pattern.size() > kMaxPattern) {
            return Error{fmt::format("a pattern of {} bytes is too long for an override list, the "
                                     "limit is {}",
                                     item.pattern.size(),
                                     kMaxPattern),
                         {}};
        }
        try {
            list.rules_.push_back({std::regex(item.pattern, std::regex::optimize), item.lane});
        } catch (const std::regex_error&) {
            return Error{fmt::format("'{}' is not a regular expression", item.pattern), {}};
        }
    }
    return list;
}

std::optional<int> OverrideList::lane_of(const std::string& weight_name) const {
    for (const Rule& rule : rules_) {
        if (std::regex_search(weight_name, rule.pattern)) return rule.lane;
    }
    return std::nullopt;
}

}  // namespace pshard
