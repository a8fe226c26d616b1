// What the report for the browser is made of, as it was built in.
#pragma once

#include <string_view>

namespace pshard::tool {

std::string_view page_template();
std::string_view chart_library();  // empty: it was not there when this was built

}  // namespace pshard::tool
