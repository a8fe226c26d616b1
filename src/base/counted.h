// Numbers as all programs and logs print them.
#pragma once

#include <concepts>
#include <string>
#include <string_view>

namespace pshard {

// "1 token", "512 tokens". `number`: as text, since some have more to them ("512@4096").
[[nodiscard]] std::string counted(std::string_view number, std::string_view unit);

template <std::integral Number>
[[nodiscard]] std::string counted(Number number, std::string_view unit) {
    return counted(std::to_string(number), unit);
}

// "12.85", "1995": tokens per second, whole from 100 on.
[[nodiscard]] std::string rate_text(double tokens_per_second);

}  // namespace pshard
