// Numbers with what they count.
#pragma once

#include <string>
#include <string_view>

namespace pshard {

// "1 token", "512 tokens". `number`: as text, since some have more to them ("512@4096").
[[nodiscard]] std::string counted(std::string_view number, std::string_view unit);

}  // namespace pshard
